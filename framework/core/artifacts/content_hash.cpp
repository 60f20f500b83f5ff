#include "framework/core/artifacts/content_hash.h"

#include <sys/stat.h>

#include <ctime>
#include <vector>

#include "framework/core/artifacts/adapter_folder.h"
#include "framework/core/artifacts/disk.h"
#include "plumb/value.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLarge = std::uint64_t{1} << 20;
constexpr std::int64_t kSecond = 1'000'000'000;

}  // namespace

ContentHashes::ContentHashes(fs::path cache) : cache_(std::move(cache)) {
  const Result<std::string> text = read_file(cache_);
  if (!text) return;
  try {
    const Value files = parse_json(*text, cache_.string());
    for (const auto& [file, entry] : files.as_map()) {
      known_[file] = {static_cast<std::uint64_t>(entry.at("size").as_int()),
                      static_cast<std::uint64_t>(entry.at("inode").as_int()), entry.at("changed").as_int(),
                      entry.at("entry_changed").as_int(), entry.at("sha256").as_string()};
    }
  } catch (const Error&) {
    known_.clear();  // read everything again
  }
}

Result<std::string> ContentHashes::of(const fs::path& path, const FileReading& reading) {
  std::error_code error;
  return fs::is_directory(path, error) ? of_folder(path, reading) : of_file(path, reading);
}

Result<std::string> ContentHashes::of_file(const fs::path& file, const FileReading& reading) {
  struct stat now {};
  if (::stat(file.c_str(), &now) != 0) {
    return Error(ErrorCode::data, "cannot read " + file.string() + ": " + std::generic_category().message(errno));
  }
  if (!S_ISREG(now.st_mode)) return sha256_of_file(file);  // which says what it is
  const Known found{static_cast<std::uint64_t>(now.st_size),
                    now.st_ino,
                    now.st_mtim.tv_sec * kSecond + now.st_mtim.tv_nsec,
                    now.st_ctim.tv_sec * kSecond + now.st_ctim.tv_nsec,
                    {}};
  std::error_code unresolved;
  const fs::path resolved = fs::canonical(file, unresolved);  // a model and the artifact that links to it are one file
  const std::string name = (unresolved ? file : resolved).string();
  const auto known = known_.find(name);
  if (known != known_.end() && known->second.size == found.size && known->second.inode == found.inode &&
      known->second.changed == found.changed && known->second.entry_changed == found.entry_changed) {
    return known->second.sha256;
  }
  Result<std::string> hash = hash_while_reading(file, found.size >= kLarge ? reading : FileReading());
  // A file changed within the last seconds may change again without its time showing it.
  const bool settled = std::time(nullptr) - now.st_mtim.tv_sec > 2;
  if (hash && found.size >= kLarge && settled) {
    known_[name] = {found.size, found.inode, found.changed, found.entry_changed, *hash};
    dirty_ = true;
  }
  return hash;
}

Result<std::string> ContentHashes::of_folder(const fs::path& folder, const FileReading& reading) {
  const Result<std::vector<fs::path>> files = files_below(folder);
  if (!files) return files.error();
  std::string listing;
  for (const fs::path& file : *files) {
    Result<std::string> hash = of_file(file, reading);
    if (!hash) return hash.error();
    listing += *hash + " " + file.lexically_relative(folder).generic_string() + '\0';
  }
  if (is_adapter_folder(folder)) {
    const Result<fs::path> base = whole_base(folder);
    if (!base) return base.error();
    const Result<std::string> hash = of_folder(*base, reading);
    if (!hash) return hash.error();
    listing += *hash + " base" + '\0';
  }
  return sha256_of(listing);
}

void ContentHashes::save() const {
  if (!dirty_) return;
  Value files = Value::map();
  for (const auto& [file, known] : known_) {
    files.set(file, Value::map({{"size", static_cast<std::int64_t>(known.size)},
                                {"inode", static_cast<std::int64_t>(known.inode)},
                                {"changed", known.changed},
                                {"entry_changed", known.entry_changed},
                                {"sha256", known.sha256}}));
  }
  std::error_code ignored;
  fs::create_directories(cache_.parent_path(), ignored);
  static_cast<void>(static_cast<bool>(write_file(cache_, to_json(files, false, 1) + "\n")));
}

}  // namespace plumb
