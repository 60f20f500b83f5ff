#include "framework/core/registry/elf_note.h"

#include <elf.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include "plumb/abi.h"
#include "sdk/src/elf_file.h"

namespace plumb {
namespace {

using detail::ElfFile;

Error refuse(const std::string& why) {
  return {ErrorCode::plugin, why};
}

// Bytes [offset, offset + size) of a text, or nothing when they are not all there.
std::optional<std::string_view> slice(std::string_view text, std::size_t offset, std::size_t size) {
  if (offset > text.size() || size > text.size() - offset) return std::nullopt;
  return text.substr(offset, size);
}

Result<Elf64_Ehdr> read_header(const ElfFile& file) {
  if (file.read(0, SELFMAG) != std::string_view(ELFMAG, SELFMAG)) return refuse("it is no ELF library");
  const auto found = file.at<Elf64_Ehdr>(0);
  if (!found) return refuse("it is truncated within the ELF header");
  const Elf64_Ehdr& header = *found;
  constexpr auto order = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != order) {
    return refuse("it is built for another kind of machine: wanted 64-bit ELF of this machine's byte order");
  }
  if (header.e_type != ET_DYN) return refuse("it is no shared library");
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 || header.e_phnum == PN_XNUM) {
    return refuse("its ELF header is malformed: no table of segments");
  }
  // The table of sections stands last: a file that was cut short lacks it.
  if (!file.holds(header.e_shoff, std::uint64_t{header.e_shnum} * header.e_shentsize)) return refuse("it is truncated");
  return header;
}

struct RawNotes {
  std::optional<std::string> plugin;
  std::string build_id;
};

std::size_t padded(std::size_t size) {
  return (size + 3) / 4 * 4;
}

// One PT_NOTE segment: header words, padded name, padded description, again and again.
Result<void> read_notes(std::string_view segment, RawNotes& out) {
  while (!segment.empty()) {
    const auto words = slice(segment, 0, sizeof(Elf64_Nhdr));
    if (!words) return refuse("a note of it is malformed: cut off");
    const auto header = ElfFile::as<Elf64_Nhdr>(*words);
    const auto name = slice(segment, sizeof(Elf64_Nhdr), header.n_namesz);
    const std::size_t start = sizeof(Elf64_Nhdr) + padded(header.n_namesz);
    const auto text = slice(segment, start, header.n_descsz);
    if (!name || !text) return refuse("a note of it is malformed: its sizes go beyond the segment");
    if (*name == std::string_view("Plumb", abi::kNoteName.size() + 1) && header.n_type == abi::kNoteType) {
      if (out.plugin) return refuse("it holds two plugin notes; PLUMB_PLUGIN may stand once in a library");
      out.plugin = text;
    } else if (*name == std::string_view("GNU", 4) && header.n_type == NT_GNU_BUILD_ID) {
      out.build_id = *text;
    }
    segment.remove_prefix(std::min(segment.size(), start + padded(header.n_descsz)));
  }
  return {};
}

std::string hex(std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[c & 15];
  }
  return out;
}

// Shown on terminals and in reports, so neither escape sequences nor novels.
bool printable(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

// Lower-case words of letters, digits, `-` and `_`, two at least, with dots between.
bool good_id(std::string_view id) {
  bool start = true;
  int dots = 0;
  for (const char c : id) {
    const bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (c == '.' && !start) {
      start = true;
      ++dots;
    } else if (alphanumeric || (!start && (c == '-' || c == '_'))) {
      start = false;
    } else {
      return false;
    }
  }
  return dots > 0 && !start;
}

Result<void> parse_manifest(PluginNote& note) {
  std::string_view rest = note.manifest;
  for (const auto& [key, field] : {std::pair{"id=", &note.id}, std::pair{"version=", &note.version},
                                   std::pair{"licence=", &note.licence}, std::pair{"summary=", &note.summary}}) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos || !rest.starts_with(key)) {
      return refuse("its manifest is malformed: wanted the lines id, version, licence, summary");
    }
    *field = rest.substr(std::strlen(key), end - std::strlen(key));
    if (!printable(*field)) return refuse("its manifest is malformed: a control character");
    rest.remove_prefix(end + 1);
  }
  for (std::size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
    const std::string line(rest.substr(0, end));
    if (line.starts_with("replaces=")) {
      note.replaces.push_back(line.substr(std::strlen("replaces=")));
      if (!good_id(note.replaces.back())) {
        return refuse("its manifest is malformed: what it replaces is no plugin's id");
      }
    } else if (line.starts_with("status=") && note.status.empty()) {
      note.status = line.substr(std::strlen("status="));
      if (note.status != "stable" && note.status != "experimental") {
        return refuse("its manifest is malformed: its status is neither stable nor experimental");
      }
    } else {
      break;
    }
    rest.remove_prefix(end + 1);
  }
  if (!rest.empty()) return refuse("its manifest is malformed: text after the summary");
  if (!good_id(note.id)) {
    return refuse("its id \"" + note.id + "\" is no reverse domain name in lower case, such as org.example.reward-gap");
  }
  if (note.version.empty()) return refuse("its manifest gives no version");
  return {};
}

// What the PT_NOTE segments hold. Compilers give notes with eight-byte alignment segments of their own; ours and the
// build id have four.
Result<RawNotes> find_notes(const ElfFile& file, const Elf64_Ehdr& header) {
  constexpr std::uint64_t largest = 1 << 20;
  const auto table = file.read(header.e_phoff, header.e_phnum * sizeof(Elf64_Phdr));
  if (!table) return refuse("it is truncated");
  RawNotes notes;
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    const auto segment = ElfFile::as<Elf64_Phdr>(table->substr(i * sizeof(Elf64_Phdr), sizeof(Elf64_Phdr)));
    if (segment.p_type == PT_LOAD && !file.holds(segment.p_offset, segment.p_filesz)) return refuse("it is truncated");
    if (segment.p_type != PT_NOTE || segment.p_align > 4) continue;
    if (segment.p_filesz > largest) return refuse("a note of it is malformed: larger than 1 MiB");
    const auto content = file.read(segment.p_offset, segment.p_filesz);
    if (!content) return refuse("it is truncated");
    if (auto read = read_notes(*content, notes); !read) return read.error();
  }
  return notes;
}

}  // namespace

Result<PluginNote> read_plugin_note(const std::filesystem::path& path) {
  const ElfFile file(path);
  if (!file.problem().empty()) return refuse(file.problem());
  const Result<Elf64_Ehdr> header = read_header(file);
  if (!header) return header.error();
  const Result<RawNotes> notes = find_notes(file, *header);
  if (!notes) return notes.error();
  if (!notes->plugin)
    return refuse("it holds no plugin note; one source file of a plugin must hold the PLUMB_PLUGIN macro");

  PluginNote note;
  const std::string& text = *notes->plugin;
  const std::size_t first = text.find('\0');
  if (first == std::string::npos || text.find('\0', first + 1) != text.size() - 1) {
    return refuse("its plugin note is malformed: wanted two texts");
  }
  note.fingerprint = text.substr(0, first);
  note.manifest = text.substr(first + 1, text.size() - first - 2);
  note.build_id = hex(notes->build_id);
  if (!printable(note.fingerprint)) return refuse("its fingerprint holds a control character");
  if (auto parsed = parse_manifest(note); !parsed) return parsed.error();
  return note;
}

}  // namespace plumb
