// Preloaded: counts the operations that change files and lets the n-th go wrong, or behaves as other file systems do.
//
//   PLUMB_CRASH_AT=n     the process is killed at the n-th operation: before it, or half way through a write
//   PLUMB_FAIL_FROM=n    the n-th operation and every later one fail with ENOSPC: the disk is full and stays so
//   PLUMB_STALE_STAT=n   a stat of a path answers for n milliseconds what an open or a stat of it found before: a file
//                        system that caches attributes, as NFS does
//   PLUMB_LOCKS=none     flock succeeds and locks nothing
//   PLUMB_LOCKS=refused  flock fails with ENOLCK
//   PLUMB_FAULT_PATH=p   only operations on paths that contain p count, fail or are stale; locks: all
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

namespace {

template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

long number_in(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? 0 : std::atol(text);
}

bool counts(const char* path) {
  static const char* const wanted = std::getenv("PLUMB_FAULT_PATH");
  return wanted == nullptr || std::strstr(path, wanted) != nullptr;
}

bool counts(int fd) {
  char path[4096];
  const ssize_t size = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path, sizeof path - 1);
  path[size > 0 ? size : 0] = '\0';
  return counts(path);
}

std::atomic<long> operations{0};

enum class Fate { passes, fails, crashes };

template <class Place>
Fate next_fate(Place place) {
  static const long crash_at = number_in("PLUMB_CRASH_AT");
  static const long fail_from = number_in("PLUMB_FAIL_FROM");
  if ((crash_at == 0 && fail_from == 0) || !counts(place)) return Fate::passes;
  const long n = ++operations;
  if (n == crash_at) return Fate::crashes;
  if (fail_from == 0 || n < fail_from) return Fate::passes;
  errno = ENOSPC;
  return Fate::fails;
}

[[noreturn]] void crash() {
  ::kill(::getpid(), SIGKILL);
  for (;;) ::pause();
}

// True when this operation must fail.
template <class Place>
bool goes_wrong(Place place) {
  const Fate fate = next_fate(place);
  if (fate == Fate::crashes) crash();
  return fate == Fate::fails;
}

using Clock = std::chrono::steady_clock;

// What a path was when it was last looked at. Never destroyed: files are opened while a process ends, too.
struct Attributes {
  Clock::time_point seen;
  struct stat found {};
};
std::mutex& attributes_lock = *new std::mutex;
std::map<std::string, Attributes>& attributes = *new std::map<std::string, Attributes>;

std::chrono::milliseconds staleness() {
  static const long milliseconds = number_in("PLUMB_STALE_STAT");
  return std::chrono::milliseconds(milliseconds);
}

void remember(const char* path, const struct stat& found) {
  const std::lock_guard hold(attributes_lock);
  attributes[path] = {Clock::now(), found};
}

bool remembers(const char* path, struct stat* found) {
  const std::lock_guard hold(attributes_lock);
  const auto at = attributes.find(path);
  if (at == attributes.end() || Clock::now() - at->second.seen > staleness()) return false;
  *found = at->second.found;
  return true;
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  static auto* const next = real<int(const char*, int, ...)>("open");
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  const int fd = next(path, flags, mode);
  struct stat found {};
  if (staleness().count() > 0 && fd >= 0 && counts(path) && ::fstat(fd, &found) == 0) remember(path, found);
  return fd;
}

int stat(const char* path, struct stat* found) noexcept {
  static auto* const next = real<int(const char*, struct stat*)>("stat");
  const bool cached = staleness().count() > 0 && counts(path);
  if (cached && remembers(path, found)) return 0;
  const int result = next(path, found);
  if (cached && result == 0) remember(path, *found);
  return result;
}

int flock(int fd, int operation) noexcept {
  static auto* const next = real<int(int, int)>("flock");
  static const char* const given = std::getenv("PLUMB_LOCKS");
  const std::string locks = given == nullptr ? "" : given;
  if (locks == "none") return 0;
  if (locks != "refused") return next(fd, operation);
  errno = ENOLCK;
  return -1;
}

ssize_t write(int fd, const void* data, size_t size) {
  static auto* const next = real<ssize_t(int, const void*, size_t)>("write");
  const Fate fate = fd > 2 ? next_fate(fd) : Fate::passes;
  if (fate == Fate::passes) return next(fd, data, size);
  const ssize_t done = size > 1 ? next(fd, data, size / 2) : -1;  // a disk that fills up takes a part of the data first
  if (fate == Fate::crashes) crash();
  return done;
}

int fsync(int fd) {
  static auto* const next = real<int(int)>("fsync");
  return goes_wrong(fd) ? -1 : next(fd);
}

int fdatasync(int fd) {
  static auto* const next = real<int(int)>("fdatasync");
  return goes_wrong(fd) ? -1 : next(fd);
}

int rename(const char* from, const char* to) {
  static auto* const next = real<int(const char*, const char*)>("rename");
  return goes_wrong(to) ? -1 : next(from, to);
}

int mkdir(const char* path, mode_t mode) {
  static auto* const next = real<int(const char*, mode_t)>("mkdir");
  return goes_wrong(path) ? -1 : next(path, mode);
}

int symlink(const char* target, const char* path) {
  static auto* const next = real<int(const char*, const char*)>("symlink");
  return goes_wrong(path) ? -1 : next(target, path);
}

int ftruncate(int fd, off_t size) {
  static auto* const next = real<int(int, off_t)>("ftruncate");
  return goes_wrong(fd) ? -1 : next(fd, size);
}

}  // extern "C"
