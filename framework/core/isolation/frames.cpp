#include "framework/core/isolation/frames.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "plumb/error.h"

namespace plumb {
namespace {

struct Header {
  std::uint32_t magic;
  FrameKind kind;
  std::uint64_t id, size;
};
static_assert(sizeof(Header) == 24);

constexpr std::uint32_t kMagic = 0x464d4c50;  // "PLMF"
constexpr std::uint64_t kLargest = std::uint64_t{4} << 30;
constexpr int kSlice = 100;  // milliseconds

}  // namespace

FrameSocket::FrameSocket(int fd) : fd_(fd) {
  ::fcntl(fd_, F_SETFL, O_NONBLOCK);
  ::fcntl(fd_, F_SETFD, FD_CLOEXEC);
}

FrameSocket::~FrameSocket() {
  ::close(fd_);
}

bool FrameSocket::send_bytes(const char* bytes, std::size_t size, const std::function<bool()>& given_up) {
  while (size > 0) {
    const ssize_t sent = ::send(fd_, bytes, size, MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes += sent;
      size -= static_cast<std::size_t>(sent);
    } else if (errno == EAGAIN) {
      if (given_up()) return false;
      pollfd wait{fd_, POLLOUT, 0};
      ::poll(&wait, 1, kSlice);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

bool FrameSocket::send(FrameKind kind, std::uint64_t id, const std::string& payload,
                       const std::function<bool()>& given_up) {
  if (payload.size() > kLargest) {
    throw Error(ErrorCode::run_failed,
                "a message to or from an isolated component is larger than 4 GiB; run it "
                "without `isolation: process`");
  }
  const Header header{kMagic, kind, id, payload.size()};
  std::array<char, sizeof header> bytes{};
  std::memcpy(bytes.data(), &header, sizeof header);
  const std::scoped_lock lock(sending_);
  if (payload.size() > 4096) {
    return send_bytes(bytes.data(), bytes.size(), given_up) && send_bytes(payload.data(), payload.size(), given_up);
  }
  const std::string whole = std::string(bytes.data(), bytes.size()) + payload;
  return send_bytes(whole.data(), whole.size(), given_up);
}

bool FrameSocket::read() {
  if (taken_ > 0) {
    arrived_.erase(0, taken_);
    taken_ = 0;
  }
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (got > 0) {
      arrived_.append(buffer.data(), static_cast<std::size_t>(got));
      // A flood of frames is handled as it comes, a large one is read whole.
      if (static_cast<std::size_t>(got) < buffer.size()) return true;
      Header header{};
      if (arrived_.size() >= sizeof header) std::memcpy(&header, arrived_.data(), sizeof header);
      if (arrived_.size() >= sizeof header && arrived_.size() - sizeof header >= header.size) return true;
    } else if (got < 0 && errno == EINTR) {
      continue;
    } else {
      return got < 0 && errno == EAGAIN;
    }
  }
}

std::optional<Frame> FrameSocket::next() {
  Header header{};
  if (arrived_.size() - taken_ < sizeof header) return std::nullopt;
  std::memcpy(&header, arrived_.data() + taken_, sizeof header);
  if (header.magic != kMagic || header.size > kLargest) {
    throw Error(ErrorCode::plugin, "the connection between two processes carries something that is no message");
  }
  if (arrived_.size() - taken_ - sizeof header < header.size) return std::nullopt;
  Frame out{header.kind, header.id, arrived_.substr(taken_ + sizeof header, header.size)};
  taken_ += sizeof header + header.size;
  return out;
}

}  // namespace plumb
