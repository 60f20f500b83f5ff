#include "framework/core/registry/elf_note.h"

#include <elf.h>

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <fstream>
#include <random>

#include "framework/core/artifacts/test_folder.h"
#include "framework/core/registry/fingerprint.h"
#include "plumb/abi.h"

using plumb::read_plugin_note;

namespace {

// The smallest file that has a plugin note: an ELF header, one segment's entry, the note.
struct TinyLibrary {
  Elf64_Ehdr header{};
  Elf64_Phdr segment{};
  std::string notes;

  explicit TinyLibrary(const std::string& fingerprint = "sdk=1 torch=none",
                       const std::string& manifest = "id=test.tiny\nversion=1\nlicence=MIT\nsummary=small\n") {
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_type = ET_DYN;
    header.e_phoff = sizeof header;
    header.e_phentsize = sizeof segment;
    header.e_phnum = 1;
    segment.p_type = PT_NOTE;
    segment.p_offset = sizeof header + sizeof segment;
    segment.p_align = 4;
    add_note("GNU", NT_GNU_BUILD_ID, "\x01\xab");
    add_note("Plumb", plumb::abi::kNoteType, fingerprint + '\0' + manifest + '\0');
  }

  void add_note(const std::string& name, std::uint32_t type, const std::string& text) {
    const Elf64_Nhdr words{static_cast<Elf64_Word>(name.size() + 1), static_cast<Elf64_Word>(text.size()), type};
    notes.append(reinterpret_cast<const char*>(&words), sizeof words);
    notes += name + '\0';
    notes.resize((notes.size() + 3) / 4 * 4);
    notes += text;
    notes.resize((notes.size() + 3) / 4 * 4);
    segment.p_filesz = notes.size();
  }

  [[nodiscard]] std::string bytes() const {
    std::string out(reinterpret_cast<const char*>(&header), sizeof header);
    out.append(reinterpret_cast<const char*>(&segment), sizeof segment);
    return out + notes;
  }
};

// What reading these bytes gives: "id version" or the refusal.
std::string reading(const std::string& bytes) {
  const plumb::test::Folder folder;
  std::ofstream(folder / "x.plumb.so", std::ios::binary) << bytes;
  const auto note = read_plugin_note(folder / "x.plumb.so");
  return note ? note->id + " " + note->version : note.error().what();
}

std::string reading(const TinyLibrary& library) {
  return reading(library.bytes());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(elf_note)

BOOST_AUTO_TEST_CASE(reads_the_note) {
  const plumb::test::Folder folder;
  std::ofstream(folder / "x", std::ios::binary) << TinyLibrary().bytes();
  const auto note = read_plugin_note(folder / "x");
  BOOST_REQUIRE(note);
  BOOST_TEST(note->fingerprint == "sdk=1 torch=none");
  BOOST_TEST(note->manifest == "id=test.tiny\nversion=1\nlicence=MIT\nsummary=small\n");
  BOOST_TEST(note->id == "test.tiny");
  BOOST_TEST(note->licence == "MIT");
  BOOST_TEST(note->summary == "small");
  BOOST_TEST(note->build_id == "01ab");
}

BOOST_AUTO_TEST_CASE(refuses_what_is_no_library) {
  const plumb::test::Folder folder;
  BOOST_TEST(read_plugin_note(folder / "absent").error().what() == std::string("No such file or directory"));
  BOOST_TEST(read_plugin_note(folder.path()).error().what() == std::string("it is no regular file"));
  BOOST_TEST(reading("") == "it is no ELF library");
  BOOST_TEST(reading("#!/bin/sh\n") == "it is no ELF library");
  BOOST_TEST(reading("\x7f"
                     "ELF") == "it is truncated within the ELF header");
  TinyLibrary program;
  program.header.e_type = ET_EXEC;
  BOOST_TEST(reading(program) == "it is no shared library");
  TinyLibrary small;
  small.header.e_ident[EI_CLASS] = ELFCLASS32;
  BOOST_TEST(reading(small).find("another kind of machine") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(every_offset_is_checked) {
  const auto changed = [](auto change) {
    TinyLibrary library;
    change(library);
    return reading(library);
  };
  constexpr auto huge = ~std::uint64_t{0};
  BOOST_TEST(changed([](auto&) {}) == "test.tiny 1");
  BOOST_TEST(changed([](auto& l) { l.header.e_phoff = huge; }) == "it is truncated");
  BOOST_TEST(changed([](auto& l) { l.header.e_phnum = 0xfffe; }) == "it is truncated");
  BOOST_TEST(changed([](auto& l) { l.header.e_phnum = 0; }).find("no table of segments") != std::string::npos);
  BOOST_TEST(changed([](auto& l) { l.header.e_phentsize = 8; }).find("no table of segments") != std::string::npos);
  BOOST_TEST(changed([](auto& l) { l.header.e_shoff = huge; }) == "it is truncated");
  BOOST_TEST(changed([](auto& l) { l.header.e_shnum = 1, l.header.e_shentsize = 64, l.header.e_shoff = 500; }) ==
             "it is truncated");
  BOOST_TEST(changed([](auto& l) { l.segment.p_offset = huge - 3; }) == "it is truncated");
  BOOST_TEST(changed([](auto& l) { l.segment.p_filesz += 4; }) == "it is truncated");
  BOOST_TEST(changed([](auto& l) { l.segment.p_filesz = huge; }).find("larger than 1 MiB") != std::string::npos);
  BOOST_TEST(changed([](auto& l) { l.segment.p_type = PT_LOAD, l.segment.p_filesz = huge; }) == "it is truncated");
  BOOST_TEST(changed([](auto& l) { l.segment.p_filesz = 5; }).find("cut off") != std::string::npos);
  const auto with_word = [](std::size_t at, std::uint32_t value) {
    TinyLibrary library;
    std::memcpy(library.notes.data() + at, &value, sizeof value);
    return reading(library);
  };
  for (const std::size_t at : {0u, 4u}) {  // sizes of the first note's name and description
    BOOST_TEST(with_word(at, 0xffffffff).find("beyond the segment") != std::string::npos);
    BOOST_TEST(with_word(at, 0x7ffffffe).find("beyond the segment") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(texts_are_checked) {
  const auto manifest = [](const std::string& text) { return reading(TinyLibrary("sdk=1", text)); };
  const std::string rest = "\nversion=1\nlicence=MIT\nsummary=s\n";
  BOOST_TEST(manifest("id=org.example.reward-gap" + rest) == "org.example.reward-gap 1");
  for (const char* id : {"", "plain", "Org.example", "org..example", ".org", "org.", "org.-x", "org.a b", "org.é"}) {
    BOOST_TEST(manifest("id=" + std::string(id) + rest).find("is no reverse domain name") != std::string::npos);
  }
  BOOST_TEST(manifest("id=test.x\nversion=1\n").find("wanted the lines") != std::string::npos);
  BOOST_TEST(manifest("id=test.x" + rest + "more=1\n").find("after the summary") != std::string::npos);
  BOOST_TEST(manifest("id=test.x" + rest + "replaces=test.y\nstatus=stable\n") == "test.x 1");
  BOOST_TEST(manifest("id=test.x" + rest + "status=stable\nstatus=stable\n").find("after the summary") !=
             std::string::npos);
  BOOST_TEST(manifest("id=test.x" + rest + "status=solid\n").find("neither stable nor experimental") !=
             std::string::npos);
  BOOST_TEST(manifest("id=test.x\nversion=\nlicence=MIT\nsummary=s\n") == "its manifest gives no version");
  BOOST_TEST(manifest("id=test.x\nversion=1\nlicence=MIT\nsummary=\x1b[2J\n").find("control character") !=
             std::string::npos);
  BOOST_TEST(reading(TinyLibrary("sdk=1\x1b", "id=test.x" + rest)).find("control character") != std::string::npos);
  TinyLibrary two;
  two.add_note("Plumb", plumb::abi::kNoteType, "a");
  BOOST_TEST(reading(two).find("two plugin notes") != std::string::npos);
  TinyLibrary none;
  none.notes.clear();
  none.add_note("Plumb", plumb::abi::kNoteType + 1, "a");
  none.add_note("Lead", plumb::abi::kNoteType, "a");
  BOOST_TEST(reading(none).find("holds no plugin note") != std::string::npos);
  TinyLibrary one_text;
  one_text.notes.clear();
  one_text.add_note("Plumb", plumb::abi::kNoteType, "no second text");
  BOOST_TEST(reading(one_text).find("wanted two texts") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(every_truncation_is_refused) {
  const std::string whole = TinyLibrary().bytes();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    BOOST_TEST(reading(whole.substr(0, size)).find("test.tiny") == std::string::npos, size);
  }
}

// Whatever is in the file: an answer, never a crash (the sanitizers watch).
BOOST_AUTO_TEST_CASE(damaged_files_do_no_harm) {
  const std::string whole = TinyLibrary().bytes();
  std::mt19937 random(1);
  int accepted = 0;
  for (int i = 0; i < 4000; ++i) {
    std::string damaged = whole;
    for (int k = 0; k < 1 + i % 3; ++k) {
      const unsigned value = random() % 4 == 0 ? 0xff : random() & 0xff;
      damaged[random() % damaged.size()] = static_cast<char>(value);
    }
    accepted += reading(damaged).rfind("test.", 0) == 0 ? 1 : 0;
  }
  BOOST_TEST(accepted > 0);     // a changed summary is still a note
  BOOST_TEST(accepted < 4000);  // and most damage is seen
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(fingerprint)

BOOST_AUTO_TEST_CASE(differences_name_each_field) {
  const std::string host = "sdk=1 arch=x86_64-linux stdlib=libstdc++ cxx11abi=1 debug=0 san=none torch=2.11.0";
  BOOST_TEST(plumb::fingerprint_difference(host, host) == "");
  BOOST_TEST(plumb::fingerprint_difference(
                 "sdk=1 arch=x86_64-linux stdlib=libstdc++ cxx11abi=1 debug=0 san=none torch=none", host) == "");
  BOOST_TEST(
      plumb::fingerprint_difference("sdk=2 arch=x86_64-linux stdlib=libc++ cxx11abi=1 debug=0 san=none torch=2.10.0",
                                    host) ==
      "sdk: found 2, wanted 1; stdlib: found libc++, wanted libstdc++; torch: found 2.10.0, wanted 2.11.0 or none");
  const std::string sanitized = "sdk=1 arch=x86_64-linux stdlib=libstdc++ cxx11abi=1 debug=0 san=address torch=none";
  BOOST_TEST(plumb::fingerprint_difference(sanitized, host) == "san: found address, wanted none");
  const std::string preloaded = "sdk=1 arch=x86_64-linux stdlib=libstdc++ cxx11abi=1 debug=0 san=address torch=2.11.0";
  BOOST_TEST(plumb::fingerprint_difference(sanitized, preloaded) == "");
  BOOST_TEST(plumb::fingerprint_difference(host, preloaded) == "");  // what has none does no harm there
  BOOST_TEST(plumb::fingerprint_difference("", host).find("sdk: found nothing, wanted 1; arch: found nothing") == 0u);
  BOOST_TEST(plumb::fingerprint_difference("sdk=11 xsdk=1 sdk", host).find("sdk: found 11, wanted 1") == 0u);
}

BOOST_AUTO_TEST_CASE(the_host_agrees_with_itself) {
  const std::string host = plumb::host_fingerprint();
  BOOST_TEST(plumb::fingerprint_difference(host, host) == "");
  BOOST_TEST(host.find("sdk=2 ") == 0u);
  BOOST_TEST(host.find(" torch=2.") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
