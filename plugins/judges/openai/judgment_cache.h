// What a judge answered, kept so that nothing is paid for twice: neither after an interruption nor by another run, and
// by several processes at once no more than by one.
//
//   JudgmentCache cache(folder / "gpt-4.jsonl");
//   if (auto known = cache.find(hash)) return *known;
//   const auto claim = cache.claim(hash, stop);            // others who want the same wait here
//   if (auto known = cache.find(hash)) return *known;      // one of them was first
//   cache.keep(hash, ask());                               // on the disk when it returns
//
// The file holds one JSON object a line and only grows; of two lines for one request the later counts. A line that a
// killed process left half-written is cut off; one that cannot be read, or that holds a failure and no text, is passed
// over and asked again. Thread contract: every method is [any].
#pragma once

#include <sys/types.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "chat.h"

namespace openai {

// A file descriptor; closing it gives up the locks taken through it.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

class JudgmentCache {
 public:
  // Makes the folder and the file, readable by their owner only. Error(data) when that fails.
  explicit JudgmentCache(std::filesystem::path file);

  std::optional<ChatAnswer> find(const std::string& hash);

  // Error(data) when it cannot be made durable; the file is then as before.
  void keep(const std::string& hash, const ChatAnswer& answer);

  // Waits until no other thread or process holds the claim of the same request; nothing when `stop` became true first.
  std::optional<Descriptor> claim(const std::string& hash, const std::function<bool()>& stop) const;

  [[nodiscard]] std::size_t unreadable() const { return unreadable_; }  // lines
  [[nodiscard]] const std::filesystem::path& file() const { return file_; }

 private:
  void read_new();  // with mutex_ held: the whole lines behind read_
  void make_durable(off_t end);

  std::filesystem::path file_;
  Descriptor descriptor_;
  std::mutex mutex_;
  std::unordered_map<std::string, ChatAnswer> known_;
  off_t read_ = 0;  // where the next unread line starts
  std::atomic<std::size_t> unreadable_{0};
  std::mutex sync_mutex_;
  off_t synced_ = 0;
};

}  // namespace openai
