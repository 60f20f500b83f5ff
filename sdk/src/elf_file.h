// The bytes of an ELF file that is not trusted: every offset and size is checked against the file before it is used.
//
//   const ElfFile file("x.plumb.so");
//   if (!file.problem().empty()) …                              // cannot be opened, no regular file
//   const std::optional<Elf64_Ehdr> header = file.at<Elf64_Ehdr>(0);
//
// It is read, not mapped: somebody may cut it short meanwhile.
// Thread contract: [any] after construction.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace plumb {
inline namespace v1 {
namespace detail {

class ElfFile {
 public:
  explicit ElfFile(const std::filesystem::path& path);
  ~ElfFile();
  ElfFile(const ElfFile&) = delete;
  ElfFile& operator=(const ElfFile&) = delete;

  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] bool holds(std::uint64_t offset, std::uint64_t size) const {
    return offset <= size_ && size <= size_ - offset;
  }
  // Bytes [offset, offset + size), or nothing when they are not all there.
  [[nodiscard]] std::optional<std::string> read(std::uint64_t offset, std::size_t size) const;

  // One of the structs of <elf.h>, of this machine's byte order.
  template <class T>
  [[nodiscard]] std::optional<T> at(std::uint64_t offset) const {
    const auto bytes = read(offset, sizeof(T));
    return bytes ? std::optional(as<T>(*bytes)) : std::nullopt;
  }
  // `bytes` holds sizeof(T) of them at least.
  template <class T>
  [[nodiscard]] static T as(std::string_view bytes) {
    T out;
    std::memcpy(&out, bytes.data(), sizeof out);
    return out;
  }

 private:
  int fd_;
  std::uint64_t size_ = 0;
  std::string problem_;
};

}  // namespace detail
}  // namespace v1
}  // namespace plumb
