// Preloaded: counts the operations that change files and lets the n-th go wrong.
//
//   PLUMB_CRASH_AT=n     the process is killed at the n-th operation: before it, or half way through a write
//   PLUMB_FAIL_FROM=n    the n-th operation and every later one fail with ENOSPC: the disk is full and stays so
//   PLUMB_FAULT_PATH=p   only operations on paths that contain p count and fail
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
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

}  // namespace

extern "C" {

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
