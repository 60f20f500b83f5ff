// Preloaded: counts the operations that change files and lets the n-th go wrong.
//
//   PLUMB_CRASH_AT=n   the process ends before the n-th operation, as if killed there
//   PLUMB_FAIL_FROM=n  the n-th operation and every later one fail with ENOSPC: the disk is full and stays so
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>

namespace {

long number_in(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? 0 : std::atol(text);
}

std::atomic<long> operations{0};

// True when this operation must fail.
bool goes_wrong() {
  static const long crash_at = number_in("PLUMB_CRASH_AT");
  static const long fail_from = number_in("PLUMB_FAIL_FROM");
  const long n = ++operations;
  if (n == crash_at) ::_exit(137);
  if (fail_from == 0 || n < fail_from) return false;
  errno = ENOSPC;
  return true;
}

template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* data, size_t size) {
  static auto* const next = real<ssize_t(int, const void*, size_t)>("write");
  if (fd > 2 && goes_wrong()) {
    return size > 1 ? next(fd, data, size / 2) : -1;  // a disk that fills up takes a part of the data first
  }
  return next(fd, data, size);
}

int fsync(int fd) {
  static auto* const next = real<int(int)>("fsync");
  return goes_wrong() ? -1 : next(fd);
}

int fdatasync(int fd) {
  static auto* const next = real<int(int)>("fdatasync");
  return goes_wrong() ? -1 : next(fd);
}

int rename(const char* from, const char* to) {
  static auto* const next = real<int(const char*, const char*)>("rename");
  return goes_wrong() ? -1 : next(from, to);
}

int mkdir(const char* path, mode_t mode) {
  static auto* const next = real<int(const char*, mode_t)>("mkdir");
  return goes_wrong() ? -1 : next(path, mode);
}

int symlink(const char* target, const char* path) {
  static auto* const next = real<int(const char*, const char*)>("symlink");
  return goes_wrong() ? -1 : next(target, path);
}

int ftruncate(int fd, off_t size) {
  static auto* const next = real<int(int, off_t)>("ftruncate");
  return goes_wrong() ? -1 : next(fd, size);
}

}  // extern "C"
