#include "sdk/check/elf_symbols.h"

#include <elf.h>

#include <string_view>

#include "sdk/check/context.h"
#include "sdk/src/elf_file.h"

namespace plumb::check {
namespace {

constexpr const char* kCutOff = "the file is damaged: a table is cut off";

// The tables of a file, each read at once.
class Image {
 public:
  explicit Image(const std::filesystem::path& path) : file_(path), header_(at<Elf64_Ehdr>(0)) {}

  [[nodiscard]] std::uint64_t sections() const { return header_.e_shnum; }
  [[nodiscard]] Elf64_Shdr section(std::uint64_t index) const {
    return at<Elf64_Shdr>(header_.e_shoff + index * sizeof(Elf64_Shdr));
  }
  [[nodiscard]] std::string content(const Elf64_Shdr& section) const {
    const auto bytes = file_.read(section.sh_offset, section.sh_size);
    require(bytes.has_value(), kCutOff);
    return *bytes;
  }
  template <class T>
  [[nodiscard]] std::vector<T> entries(const Elf64_Shdr& section) const {
    const std::string bytes = content(section);
    std::vector<T> out;
    for (std::size_t at = 0; at + sizeof(T) <= bytes.size(); at += sizeof(T))
      out.push_back(detail::ElfFile::as<T>(std::string_view(bytes).substr(at)));
    return out;
  }

 private:
  template <class T>
  [[nodiscard]] T at(std::uint64_t offset) const {
    const auto found = file_.at<T>(offset);
    require(found.has_value(), kCutOff);
    return *found;
  }

  detail::ElfFile file_;
  Elf64_Ehdr header_;
};

std::string text_at(const std::string& strings, std::uint64_t offset) {
  require(offset < strings.size(), "the file is damaged: a name is outside its table");
  const std::size_t end = strings.find('\0', offset);
  require(end != std::string::npos, "the file is damaged: a name does not end");
  return strings.substr(offset, end - offset);
}

void read_dynamic(const Image& image, const Elf64_Shdr& section, ElfDynamic& out) {
  const std::string strings = image.content(image.section(section.sh_link));
  for (const Elf64_Dyn& entry : image.entries<Elf64_Dyn>(section)) {
    if (entry.d_tag == DT_NEEDED) out.needed.push_back(text_at(strings, entry.d_un.d_val));
    if (entry.d_tag == DT_FLAGS) out.flags = entry.d_un.d_val;
    if (entry.d_tag == DT_FLAGS_1) out.flags_1 = entry.d_un.d_val;
  }
}

void read_symbols(const Image& image, const Elf64_Shdr& section, ElfDynamic& out) {
  const std::string strings = image.content(image.section(section.sh_link));
  for (const Elf64_Sym& symbol : image.entries<Elf64_Sym>(section)) {
    const auto binding = ELF64_ST_BIND(symbol.st_info);
    const auto visibility = ELF64_ST_VISIBILITY(symbol.st_other);
    if (symbol.st_shndx == SHN_UNDEF || binding == STB_LOCAL || visibility == STV_HIDDEN) continue;
    const std::string name = text_at(strings, symbol.st_name);
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
