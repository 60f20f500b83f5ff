#include "judgment_cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <plumb/error.h>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <thread>
#include <vector>

namespace openai {
namespace {

namespace fs = std::filesystem;
using plumb::Value;

[[noreturn]] void fail(const fs::path& file, const std::string& what) {
  throw plumb::Error(plumb::ErrorCode::data, "openai-judge: cannot " + what + " " + file.string() + ": " +
                                                 std::generic_category().message(errno) +
                                                 "; `cache` names the folder of the judgments");
}

// Only one process appends at a time.
class FileLock {
 public:
  FileLock(const fs::path& file, int fd) : fd_(fd) {
    while (::flock(fd_, LOCK_EX) != 0) {
      if (errno != EINTR) fail(file, "lock");
    }
  }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock() { ::flock(fd_, LOCK_UN); }

 private:
  int fd_;
};

off_t size_of(const fs::path& file, int fd) {
  struct stat state {};
  if (::fstat(fd, &state) != 0) fail(file, "look at");
  return state.st_size;
}

std::string line_of(const std::string& hash, const ChatAnswer& answer) {
  return plumb::to_json(Value::map({{"request", hash},
                                    {"text", answer.text},
                                    {"failure", ""},
                                    {"prompt_tokens", answer.prompt_tokens},
                                    {"completion_tokens", answer.completion_tokens}})) +
         '\n';
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

JudgmentCache::JudgmentCache(fs::path file) : file_(std::move(file)) {
  std::error_code ignored;
  fs::create_directories(file_.parent_path(), ignored);
  descriptor_ = Descriptor(::open(file_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (descriptor_.get() < 0) fail(file_, "open");
  const Descriptor folder(::open(file_.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0 || ::fsync(folder.get()) != 0) fail(file_.parent_path(), "sync");
  const std::scoped_lock lock(mutex_);
  read_new();
  synced_ = 0;  // what a killed process wrote last may not be on the disk yet
}

void JudgmentCache::read_new() {
  const off_t size = size_of(file_, descriptor_.get());
  if (size <= read_) return;
  std::string text(static_cast<std::size_t>(size - read_), '\0');
  std::size_t got = 0;
  while (got < text.size()) {
    const ssize_t part =
        ::pread(descriptor_.get(), text.data() + got, text.size() - got, read_ + static_cast<off_t>(got));
    if (part < 0 && errno != EINTR) fail(file_, "read");
    if (part == 0) break;
    got += part > 0 ? static_cast<std::size_t>(part) : 0;
  }
  text.resize(got);
  std::size_t begin = 0;
  for (std::size_t end = text.find('\n'); end != std::string::npos; begin = end + 1, end = text.find('\n', begin)) {
    try {
      const Value row = plumb::parse_json(std::string_view(text).substr(begin, end - begin), file_.string());
      if (!row.at("failure").as_string().empty()) continue;
      known_[row.at("request").as_string()] = {
          row.at("text").as_string(), {}, row.at("prompt_tokens").as_int(), row.at("completion_tokens").as_int()};
    } catch (const plumb::Error&) {
      ++unreadable_;
    }
  }
  read_ += static_cast<off_t>(begin);
}

std::optional<ChatAnswer> JudgmentCache::find(const std::string& hash) {
  const std::scoped_lock lock(mutex_);
  auto found = known_.find(hash);
  if (found == known_.end()) {
    read_new();
    found = known_.find(hash);
  }
  return found == known_.end() ? std::nullopt : std::optional(found->second);
}

void JudgmentCache::keep(const std::string& hash, const ChatAnswer& answer) {
  const std::string line = line_of(hash, answer);
  off_t end = 0;
  {
    const std::scoped_lock lock(mutex_);
    const FileLock alone(file_, descriptor_.get());
    read_new();
    // What is left is half a line, and nobody else is writing: its writer was killed.
    if (size_of(file_, descriptor_.get()) > read_ && ::ftruncate(descriptor_.get(), read_) != 0) fail(file_, "repair");
    std::size_t written = 0;
    while (written < line.size()) {
      const ssize_t part = ::write(descriptor_.get(), line.data() + written, line.size() - written);
      if (part < 0 && errno != EINTR) {
        const int reason = errno;
        static_cast<void>(::ftruncate(descriptor_.get(), read_) == 0);
        errno = reason;
        fail(file_, "write to");
      }
      written += part > 0 ? static_cast<std::size_t>(part) : 0;
    }
    read_ += static_cast<off_t>(line.size());
    known_[hash] = answer;
    end = read_;
  }
  make_durable(end);
}

// Whoever waited here while another thread synced finds its line on the disk already.
void JudgmentCache::make_durable(off_t end) {
  const std::scoped_lock lock(sync_mutex_);
  if (synced_ >= end) return;
  off_t whole = 0;
  {
    const std::scoped_lock reading(mutex_);
    whole = read_;
  }
  if (::fdatasync(descriptor_.get()) != 0) fail(file_, "sync");
  synced_ = whole;
}

std::optional<Descriptor> JudgmentCache::claim(const std::string& hash, const std::function<bool()>& stop) const {
  Descriptor descriptor(::open((file_.string() + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (descriptor.get() < 0) fail(file_, "lock a request beside");
  struct flock byte {};  // one of the lock file's bytes stands for the request; the file stays empty
  byte.l_type = F_WRLCK;
  byte.l_whence = SEEK_SET;
  byte.l_start = static_cast<off_t>(std::stoull(hash.substr(0, 15), nullptr, 16));
  byte.l_len = 1;
  while (::fcntl(descriptor.get(), F_OFD_SETLK, &byte) != 0) {
    if (errno != EAGAIN && errno != EACCES) break;  // a file system without locks: ask without a claim
    if (stop()) return std::nullopt;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return descriptor;
}

}  // namespace openai
