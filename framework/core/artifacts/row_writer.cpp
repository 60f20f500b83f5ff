#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <exception>

#include "framework/core/artifacts/records_file.h"

namespace plumb {
namespace fs = std::filesystem;

namespace {

constexpr std::size_t block_size = std::size_t{256} << 10;

// Offset after the last line feed: a line without one is what an interrupted write left.
off_t end_of_whole_lines(int fd, const fs::path& file) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) throw disk_error("read", file, errno);
  std::array<char, 4096> block{};
  off_t end = info.st_size;
  while (end > 0) {
    const off_t start = std::max<off_t>(0, end - static_cast<off_t>(block.size()));
    const ssize_t got = ::pread(fd, block.data(), static_cast<std::size_t>(end - start), start);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw disk_error("read", file, got < 0 ? errno : EIO);
    const std::string_view text(block.data(), static_cast<std::size_t>(got));
    const std::size_t feed = text.rfind('\n');
    if (feed != std::string_view::npos) return start + static_cast<off_t>(feed) + 1;
    end = start;
  }
  return 0;
}

}  // namespace

RowWriter::RowWriter(const fs::path& file, bool append) : unwinding_(std::uncaught_exceptions()), file_(file) {
  fd_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | (append ? 0 : O_TRUNC), 0666);
  if (fd_ < 0) throw disk_error("create", file, errno);
  if (!append) return;
  try {
    const off_t end = end_of_whole_lines(fd_, file);
    if (::ftruncate(fd_, end) != 0) throw disk_error("cut the torn last line of", file, errno);
    if (::lseek(fd_, end, SEEK_SET) < 0) throw disk_error("write", file, errno);
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

RowWriter::~RowWriter() noexcept(false) {
  const bool may_throw = std::uncaught_exceptions() <= unwinding_;
  try {
    flush();
  } catch (...) {
    ::close(fd_);
    if (may_throw) throw;
    return;
  }
  if (::close(fd_) != 0 && may_throw) throw disk_error("close", file_, errno);
}

void RowWriter::write(const Value& row) {
  buffer_ += to_json(row);
  buffer_ += '\n';
  if (buffer_.size() >= block_size) flush();
}

void RowWriter::flush(bool durable) {
  const std::string block = std::exchange(buffer_, {});  // a failed write is reported once, not again by the destructor
  write_all(fd_, block, file_);
  if (durable && ::fdatasync(fd_) != 0) throw disk_error("flush to disk", file_, errno, block.size());
}

}  // namespace plumb
