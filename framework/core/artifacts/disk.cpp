#include "framework/core/artifacts/disk.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <system_error>
#include <vector>

#include "framework/core/artifacts/content_hash.h"
#include "framework/core/artifacts/descriptor.h"
#include "framework/core/artifacts/file_system_error.h"

namespace plumb {
namespace fs = std::filesystem;

namespace {

constexpr std::string_view temporary_mark = ".plumb-tmp-";

fs::path nearest_existing(fs::path path) {
  std::error_code ignored;
  path = fs::absolute(path, ignored);
  while (!fs::exists(path, ignored) && path.has_relative_path()) path = path.parent_path();
  return path;
}

// Where the file system of an existing path begins.
fs::path mount_point(fs::path path) {
  struct stat here {
  }, above{};
  std::error_code ignored;
  path = fs::canonical(path, ignored);
  if (ignored || ::stat(path.c_str(), &here) != 0) return path;
  while (path.has_relative_path() && ::stat(path.parent_path().c_str(), &above) == 0 && above.st_dev == here.st_dev) {
    path = path.parent_path();
  }
  return path;
}

// Why there is no room, and what to do.
std::string no_room(const fs::path& file, std::uint64_t wanted) {
  const fs::path place = nearest_existing(file.parent_path());
  struct statvfs info {};
  const bool known = ::statvfs(place.c_str(), &info) == 0;
  const std::string where = mount_point(place).string();
  constexpr const char* cure = "then run the same command again; finished work is kept";
  if (known && info.f_files > 0 && info.f_favail == 0) {
    return fmt::format(
        " (the file system at {} can hold no more files: all of its {} entries are used). Remove some "
        "files, {}",
        where, info.f_files, cure);
  }
  return fmt::format(" ({}{} are free there, on the file system at {}). Free some space, {}",
                     wanted > 0 ? in_bytes(wanted) + " more were wanted, " : "", in_bytes(free_bytes(place)), where,
                     cure);
}

void sync_path(const fs::path& path, int flags) {
  Descriptor fd(::open(path.c_str(), flags | O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) throw disk_error("open", path, errno);
  // Some file systems cannot sync a folder and say EINVAL; there is nothing more to do there.
  if (::fsync(fd.get()) != 0 && errno != EINVAL) throw disk_error("flush to disk", path, errno);
}

// For reading. A FIFO without a writer does not keep us waiting.
int open_regular(const fs::path& file) {
  return ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

Error not_regular(const fs::path& file, mode_t mode) {
  const char* kind = S_ISFIFO(mode) ? "a FIFO" : S_ISSOCK(mode) ? "a socket" : S_ISDIR(mode) ? "a folder" : "a device";
  return {ErrorCode::data, fmt::format("{} is {}; wanted a regular file", file.string(), kind)};
}

// Files there have no content to speak of, and reading some of them waits for ever.
bool of_the_kernel(const fs::path& folder) {
  struct statfs info {};
  if (::statfs(folder.c_str(), &info) != 0) return false;
  constexpr auto kinds =
      std::to_array<unsigned long>({PROC_SUPER_MAGIC, SYSFS_MAGIC, DEBUGFS_MAGIC, TRACEFS_MAGIC, SECURITYFS_MAGIC,
                                    CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, DEVPTS_SUPER_MAGIC, BPF_FS_MAGIC});
  return std::find(kinds.begin(), kinds.end(), static_cast<unsigned long>(info.f_type)) != kinds.end();
}

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1) fail();
  }
  void add(const void* data, std::size_t size) {
    if (EVP_DigestUpdate(context_.get(), data, size) != 1) fail();
  }
  [[nodiscard]] std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    if (EVP_DigestFinal_ex(context_.get(), digest.data(), &size) != 1) fail();
    std::string text;
    for (unsigned int i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
    return text;
  }

 private:
  [[noreturn]] static void fail() { throw Error(ErrorCode::run_failed, "OpenSSL cannot compute SHA-256"); }
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

std::string in_bytes(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} byte{}", bytes, bytes == 1 ? "" : "s");
  static constexpr std::array units{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (value >= 1023.95 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, units[unit]);
}

std::uint64_t free_bytes(const fs::path& path) {
  struct statvfs info {};
  if (::statvfs(nearest_existing(path).c_str(), &info) != 0) return 0;
  return std::uint64_t{info.f_bavail} * info.f_frsize;
}

Error disk_error(std::string_view verb, const fs::path& file, int error_number, std::uint64_t wanted) {
  std::string text =
      fmt::format("cannot {} {}: {}", verb, file.string(), std::generic_category().message(error_number));
  if (error_number == EFBIG) {
    text += fmt::format(" ({} more were wanted; `ulimit -f` limits the size of a file)", in_bytes(wanted));
  } else if (error_number == ENOSPC) {
    text += no_room(file, wanted);
  } else if (error_number == EDQUOT) {
    text += fmt::format(
        " ({}`quota` shows how much you may use). Free some space, then run the same command again; "
        "finished work is kept",
        wanted > 0 ? in_bytes(wanted) + " more were wanted; " : "");
  }
  return {ErrorCode::data, text};
}

Error disk_error(std::string_view verb, const fs::filesystem_error& error) {
  return disk_error(verb, error.path2().empty() ? error.path1() : error.path2(), error.code().value());
}

void write_all(int fd, std::string_view bytes, const fs::path& file) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      throw disk_error("write", file, errno, bytes.size());
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void sync_file(const fs::path& file) {
  sync_path(file, 0);
}

void sync_folder(const fs::path& folder) {
  sync_path(folder.empty() ? fs::path(".") : folder, O_DIRECTORY);
}

Result<std::string> read_file(const fs::path& file) {
  const Descriptor fd(open_regular(file));
  if (fd.get() < 0) return disk_error("open", file, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return disk_error("read", file, errno);
  if (S_ISDIR(info.st_mode)) return disk_error("read", file, EISDIR);
  if (!S_ISREG(info.st_mode)) return not_regular(file, info.st_mode);
  std::string content;
  content.reserve(static_cast<std::size_t>(info.st_size));
  std::vector<char> block(std::size_t{1} << 16);
  for (;;) {
    const ssize_t got = ::read(fd.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return disk_error("read", file, errno);
    if (got == 0) return content;
    content.append(block.data(), static_cast<std::size_t>(got));
  }
}

Result<Value> read_json(const fs::path& file) {
  const Result<std::string> text = read_file(file);
  if (!text) return text.error();
  try {
    return parse_json(*text, file.string());
  } catch (const Error& error) {
    return error;
  }
}

Result<void> write_file(const fs::path& file, std::string_view content) {
  const fs::path temporary =
      file.parent_path() / fmt::format(".{}{}{}", file.filename().string(), temporary_mark, ::getpid());
  try {
    Descriptor fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (fd.get() < 0) throw disk_error("create", file, errno);
    write_all(fd.get(), content, file);
    if (::fsync(fd.get()) != 0) throw disk_error("flush to disk", file, errno, content.size());
    if (::close(fd.release()) != 0) throw disk_error("close", file, errno, content.size());
    if (::rename(temporary.c_str(), file.c_str()) != 0) throw disk_error("replace", file, errno);
    sync_folder(file.parent_path());
  } catch (const Error& error) {
    ::unlink(temporary.c_str());
    return error;
  }
  return {};
}

bool is_abandoned_temporary(const fs::path& file) {
  const std::string name = file.filename().string();
  return name.starts_with('.') && name.find(temporary_mark) != std::string::npos;
}

std::string sha256_of(std::string_view bytes) {
  Sha256 hash;
  hash.add(bytes.data(), bytes.size());
  return hash.hex();
}

Result<std::vector<fs::path>> files_below(const fs::path& folder) {
  constexpr std::size_t most = 50'000;
  const auto refuse = [&](const std::string& why) {
    return Error(ErrorCode::data,
                 fmt::format("{} {}; name the folder of the model or of the data itself", folder.string(), why));
  };
  const char* of_kernel = "a file system that the kernel makes up";
  if (of_the_kernel(folder)) return refuse(fmt::format("is of {}", of_kernel));
  std::vector<fs::path> files, folders{folder};
  std::size_t entries = 0;
  std::error_code ignored;
  for (std::size_t next = 0; next < folders.size(); ++next) {  // level by level: `/` is known by what lies next to it
    std::error_code error;
    for (fs::directory_iterator at(folders[next], error); !error && at != fs::directory_iterator();
         at.increment(error)) {
      if (at->path().filename().string().starts_with('.')) continue;
      if (++entries > most) return refuse(fmt::format("holds more than {} files and folders", most));
      if (at->symlink_status(ignored).type() == fs::file_type::directory) {
        if (of_the_kernel(at->path())) return refuse(fmt::format("holds {}, {}", at->path().string(), of_kernel));
        folders.push_back(at->path());
      } else if (at->is_regular_file(ignored)) {
        files.push_back(at->path());
      }
    }
    if (error) return disk_error("read", folders[next], error.value());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string unreadable(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return {};
  if (S_ISREG(info.st_mode)) return {};
  if (!S_ISDIR(info.st_mode)) return not_regular(path, info.st_mode).what();
  const auto files = files_below(path);
  return files ? std::string() : files.error().what();
}

Result<std::string> sha256_of_file(const fs::path& file) {
  return hash_while_reading(file, {});
}

Result<std::string> hash_while_reading(const fs::path& file, const FileReading& told) {
  const Descriptor fd(open_regular(file));
  if (fd.get() < 0) return disk_error("open", file, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) == 0 && !S_ISREG(info.st_mode)) return not_regular(file, info.st_mode);
  Sha256 hash;
  std::vector<char> block(std::size_t{1} << 20);
  std::uint64_t done = 0;
  const auto total = static_cast<std::uint64_t>(std::max<off_t>(0, info.st_size));
  for (;;) {
    const ssize_t got = ::read(fd.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return disk_error("read", file, errno);
    if (got == 0) return hash.hex();
    hash.add(block.data(), static_cast<std::size_t>(got));
    done += static_cast<std::uint64_t>(got);
    if (told) told(file, std::min(done, total), total);
  }
}

}  // namespace plumb
