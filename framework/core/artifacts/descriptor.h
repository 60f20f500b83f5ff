// An open file descriptor that is closed with its owner.
//
//   Descriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
//   if (fd.get() < 0) throw disk_error("open", file, errno);
//   if (::close(fd.release()) != 0) …                     // where closing may fail and that matters
//
// Thread contract: one thread.
#pragma once

#include <unistd.h>

#include <utility>

namespace plumb {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_;
};

}  // namespace plumb
