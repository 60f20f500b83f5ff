#include "elf_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace plumb {
inline namespace v1 {
namespace detail {

ElfFile::ElfFile(const std::filesystem::path& path) : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  struct stat status {};
  if (fd_ < 0 || fstat(fd_, &status) != 0) {
    problem_ = std::strerror(errno);
  } else if (!S_ISREG(status.st_mode)) {
    problem_ = "it is no regular file";
  } else {
    size_ = static_cast<std::uint64_t>(status.st_size);
  }
}

ElfFile::~ElfFile() {
  if (fd_ >= 0) close(fd_);
}

std::optional<std::string> ElfFile::read(std::uint64_t offset, std::size_t size) const {
  if (!holds(offset, size)) return std::nullopt;
  std::string out(size, '\0');
  for (std::size_t done = 0; done < size;) {
    const ssize_t got = pread(fd_, out.data() + done, size - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    done += static_cast<std::size_t>(got);
  }
  return out;
}

}  // namespace detail
}  // namespace v1
}  // namespace plumb
