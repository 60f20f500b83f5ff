#include "framework/core/artifacts/key_lock.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <thread>
#include <utility>

#include "framework/core/artifacts/descriptor.h"
#include "framework/core/artifacts/disk.h"
#include "framework/core/artifacts/file_system_error.h"
#include "plumb/value.h"

namespace plumb {
namespace fs = std::filesystem;

namespace {

std::string this_host() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "an unknown host";
}

// Flushed, so that other machines see it while the file is open here. Who holds a lock is only for people to read: a
// disk that is full keeps nobody from holding it.
void sign(int fd) {
  const Value holder = Value::map({{"host", this_host()},
                                   {"process", static_cast<std::int64_t>(::getpid())},
                                   {"start", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)))}});
  const std::string text = to_json(holder) + "\n";
  const bool signed_now = ::ftruncate(fd, 0) == 0 && ::pwrite(fd, text.data(), text.size(), 0) > 0;
  if (signed_now) static_cast<void>(::fdatasync(fd));
}

// Opened anew each time: that is when a file system between machines looks for what others wrote.
std::string holder_in(const fs::path& file) {
  try {
    const Result<std::string> text = read_file(file);
    const Value holder = parse_json(text ? *text : "");
    return fmt::format("process {} on {}, which began at {}", holder.at("process").as_int(),
                       holder.at("host").as_string(), holder.at("start").as_string());
  } catch (const Error&) {
    return "a process that has not signed the lock";
  }
}

int open_lock(const fs::path& file) {
  return ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
}

Error does_not_lock(const fs::path& folder, const std::string& found) {
  return {
      ErrorCode::data,
      fmt::format("{}: its file system does not lock files ({}), and without locks two runs could write one artifact "
                  "at the same time. Wanted a folder of runs that locks: NFS mounted without nolock, Lustre mounted "
                  "with -o flock, or another file system (--runs DIR)",
                  folder.string(), found)};
}

// Removed at the end: nobody else knows its name.
struct ProbeFile {
  const fs::path path;
  ~ProbeFile() { ::unlink(path.c_str()); }
};

}  // namespace

Result<KeyLock> KeyLock::take(const fs::path& file, const KeepWaiting& keep_waiting) {
  KeyLock lock(open_lock(file));
  if (lock.fd_ < 0) return disk_error("create", file, errno);
  for (bool waited = false; ::flock(lock.fd_, LOCK_EX | LOCK_NB) != 0; waited = true) {
    if (errno != EWOULDBLOCK && errno != EINTR) return disk_error("lock", file, errno);
    // Not before the second attempt: who took the lock this instant has signed it by then.
    if (waited && keep_waiting) {
      const std::string holder = holder_in(file);
      if (!keep_waiting(holder)) {
        return Error(ErrorCode::interrupted, fmt::format("stopped waiting for {}: {}", file.string(), holder));
      }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  sign(lock.fd_);
  return lock;
}

KeyLock::KeyLock(KeyLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

KeyLock::~KeyLock() {
  if (fd_ < 0) return;
  static_cast<void>(!::ftruncate(fd_, 0));  // while it is still ours
  ::close(fd_);
}

Result<void> probe_locks(const fs::path& folder) {
  try {
    fs::create_directories(folder);
  } catch (const fs::filesystem_error& error) {
    return disk_error("create", error);
  }
  const ProbeFile file{folder / fmt::format(".locks.plumb-tmp-{}-{}", this_host(), ::getpid())};
  const Descriptor first(open_lock(file.path));
  if (first.get() < 0) return disk_error("create", file.path, errno);
  if (::flock(first.get(), LOCK_EX | LOCK_NB) != 0) {
    return does_not_lock(folder, std::generic_category().message(errno));
  }
  const Descriptor second(open_lock(file.path));
  if (second.get() < 0) return disk_error("open", file.path, errno);
  if (::flock(second.get(), LOCK_EX | LOCK_NB) == 0) {
    return does_not_lock(folder, "two descriptors of one file hold its lock at the same time");
  }
  return {};
}

}  // namespace plumb
