#include "sdk/check/elf_symbols.h"

#include <elf.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "sdk/check/context.h"

namespace plumb::check {
namespace {

class Image {
 public:
  explicit Image(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(in), {});
    header_ = at<Elf64_Ehdr>(0);
  }

  template <class T>
  [[nodiscard]] T at(std::uint64_t offset) const {
    require(offset <= bytes_.size() && sizeof(T) <= bytes_.size() - offset, "the file is damaged: a table is cut off");
    T out;
    std::memcpy(&out, bytes_.data() + offset, sizeof out);
    return out;
  }
  [[nodiscard]] std::string text(const Elf64_Shdr& strings, std::uint64_t offset) const {
    require(offset < strings.sh_size, "the file is damaged: a name is outside its table");
    const std::uint64_t start = strings.sh_offset + offset;
    const std::size_t end = bytes_.find('\0', start);
    require(end != std::string::npos, "the file is damaged: a name does not end");
    return bytes_.substr(start, end - start);
  }
  [[nodiscard]] Elf64_Shdr section(std::uint64_t index) const {
    return at<Elf64_Shdr>(header_.e_shoff + index * sizeof(Elf64_Shdr));
  }
  [[nodiscard]] std::uint64_t sections() const { return header_.e_shnum; }

 private:
  std::string bytes_;
  Elf64_Ehdr header_{};
};

void read_dynamic(const Image& image, const Elf64_Shdr& section, ElfDynamic& out) {
  const Elf64_Shdr strings = image.section(section.sh_link);
  for (std::uint64_t at = 0; at + sizeof(Elf64_Dyn) <= section.sh_size; at += sizeof(Elf64_Dyn)) {
    const auto entry = image.at<Elf64_Dyn>(section.sh_offset + at);
    if (entry.d_tag == DT_NEEDED) out.needed.push_back(image.text(strings, entry.d_un.d_val));
    if (entry.d_tag == DT_FLAGS) out.flags = entry.d_un.d_val;
    if (entry.d_tag == DT_FLAGS_1) out.flags_1 = entry.d_un.d_val;
  }
}

void read_symbols(const Image& image, const Elf64_Shdr& section, ElfDynamic& out) {
  const Elf64_Shdr strings = image.section(section.sh_link);
  for (std::uint64_t at = sizeof(Elf64_Sym); at + sizeof(Elf64_Sym) <= section.sh_size; at += sizeof(Elf64_Sym)) {
    const auto symbol = image.at<Elf64_Sym>(section.sh_offset + at);
    const auto binding = ELF64_ST_BIND(symbol.st_info);
    const auto visibility = ELF64_ST_VISIBILITY(symbol.st_other);
    if (symbol.st_shndx == SHN_UNDEF || binding == STB_LOCAL || visibility == STV_HIDDEN) continue;
    const std::string name = image.text(strings, symbol.st_name);
    out.exported.push_back(name);
    if (binding == STB_GNU_UNIQUE) out.unique.push_back(name);
  }
}

}  // namespace

ElfDynamic read_elf(const std::filesystem::path& file) {
  const Image image(file);
  ElfDynamic out;
  for (std::uint64_t i = 0; i < image.sections(); ++i) {
    const Elf64_Shdr section = image.section(i);
    if (section.sh_type == SHT_DYNAMIC) read_dynamic(image, section, out);
    if (section.sh_type == SHT_DYNSYM) read_symbols(image, section, out);
  }
  return out;
}

}  // namespace plumb::check
