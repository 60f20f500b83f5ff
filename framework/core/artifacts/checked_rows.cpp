#include "framework/core/artifacts/checked_rows.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <sstream>

#include "framework/core/artifacts/disk.h"

namespace plumb {
namespace fs = std::filesystem;

namespace {

int open_or_create(const fs::path& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) throw disk_error("create", file, errno);
  return fd;
}

std::uint64_t size_of(int fd, const fs::path& file) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) throw disk_error("read", file, errno);
  return static_cast<std::uint64_t>(info.st_size);
}

std::string read_range(int fd, std::uint64_t begin, std::uint64_t end, const fs::path& file) {
  std::string bytes(static_cast<std::size_t>(end - begin), '\0');
  for (std::size_t got = 0; got < bytes.size();) {
    const ssize_t part = ::pread(fd, bytes.data() + got, bytes.size() - got, static_cast<off_t>(begin + got));
    if (part < 0 && errno == EINTR) continue;
    if (part <= 0) throw disk_error("read", file, part < 0 ? errno : EIO);
    got += static_cast<std::size_t>(part);
  }
  return bytes;
}

void cut(int fd, std::uint64_t end, const fs::path& file) {
  if (size_of(fd, file) != end && ::ftruncate(fd, static_cast<off_t>(end)) != 0) {
    throw disk_error("cut the unfinished end of", file, errno);
  }
  if (::lseek(fd, static_cast<off_t>(end), SEEK_SET) < 0) throw disk_error("write", file, errno);
}

void make_durable(int fd, const fs::path& file) {
  if (::fdatasync(fd) != 0) throw disk_error("flush to disk", file, errno);
}

}  // namespace

CheckedRows::CheckedRows(const fs::path& file)
    : file_(file),
      sums_file_(file.string() + ".sums"),
      rows_(open_or_create(file_)),
      sums_(open_or_create(sums_file_)) {
  take_up();
}

void CheckedRows::take_up() {
  const std::uint64_t size = size_of(rows_.get(), file_);
  std::istringstream lines(read_range(sums_.get(), 0, size_of(sums_.get(), sums_file_), sums_file_));
  std::uint64_t sums_end = 0;
  bool wrong = false;
  for (std::string line; !wrong && std::getline(lines, line) && !lines.eof();) {
    std::string bytes;
    try {
      const Value sum = parse_json(line, sums_file_.string());
      const auto end = static_cast<std::uint64_t>(sum.at("end").as_int());
      wrong = end <= end_ || end > size;
      if (!wrong) bytes = read_range(rows_.get(), end_, end, file_);
      wrong = wrong || sha256_of(bytes) != sum.at("sha256").as_string();
    } catch (const Error&) {
      wrong = true;
    }
    if (wrong) break;
    count_ += static_cast<std::size_t>(std::count(bytes.begin(), bytes.end(), '\n'));
    end_ += bytes.size();
    sums_end += line.size() + 1;
  }
  if (wrong) {
    damage_ = fmt::format(
        "{}: from row {} on the rows are not what their checksum says (a power failure or a damaged "
        "disk leaves this); they are made again",
        file_.string(), count_ + 1);
  } else if (count_ == 0 && size > 0 && sums_end == 0) {
    damage_ = fmt::format("{}: its rows have no checksum; they are made again", file_.string());
  }
  cut(rows_.get(), end_, file_);
  cut(sums_.get(), sums_end, sums_file_);
}

void CheckedRows::write(const Value& row) {
  block_ += to_json(row);
  block_ += '\n';
  ++written_;
}

void CheckedRows::end_block(bool durable) {
  if (written_ == 0) return;
  const std::string bytes = std::exchange(block_, {});
  write_all(rows_.get(), bytes, file_);
  if (durable) make_durable(rows_.get(), file_);
  end_ += bytes.size();
  count_ += std::exchange(written_, 0);
  const Value sum = Value::map({{"end", static_cast<std::int64_t>(end_)}, {"sha256", sha256_of(bytes)}});
  write_all(sums_.get(), to_json(sum) + "\n", sums_file_);
  if (durable) make_durable(sums_.get(), sums_file_);
}

}  // namespace plumb
