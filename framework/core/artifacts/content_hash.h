// The SHA-256 of what a path names: of a file its bytes, of a folder the names and hashes of its files, and of an
// adapter's folder those of its base, too.
//
//   ContentHashes hashes(store.root() / "contents.json");
//   Result<std::string> hash = hashes.of("/models/Llama-2-7b", show);
//   hashes.save();
//
// Large files are read once: their hashes are kept with size, inode and times of the last change of content and of
// entry (which nobody can set back), and a file that changed is read again. Hidden files and folders do not count.
// Thread contract: one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "framework/result.h"

namespace plumb {

// Called again and again: the file, bytes read, bytes in all; the last time with both equal (telemetry/file_reading.h).
using FileReading = std::function<void(const std::filesystem::path& file, std::uint64_t done, std::uint64_t total)>;

inline constexpr const char* contents_name = "contents.json";  // of the cache in the store of artifacts

// sha256_of_file that tells how far it is. `told` may be empty.
Result<std::string> hash_while_reading(const std::filesystem::path& file, const FileReading& told);

class ContentHashes {
 public:
  explicit ContentHashes(std::filesystem::path cache);
  // `reading` is told of every file that is kept once it is read.
  Result<std::string> of(const std::filesystem::path& path, const FileReading& reading = {});
  // Writes the cache when something large was read. A cache that cannot be written costs time only.
  void save() const;

 private:
  struct Known {
    std::uint64_t size = 0, inode = 0;
    std::int64_t changed = 0, entry_changed = 0;  // nanoseconds since the epoch
    std::string sha256;
  };
  Result<std::string> of_file(const std::filesystem::path& file, const FileReading& reading);
  Result<std::string> of_folder(const std::filesystem::path& folder, const FileReading& reading);

  std::filesystem::path cache_;
  std::map<std::string, Known> known_;
  bool dirty_ = false;
};

}  // namespace plumb
