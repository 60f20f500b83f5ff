// What a plugin file says about itself before any of its code runs.
//
// PLUMB_PLUGIN (plugin.h) writes a manifest and a build fingerprint into an ELF note named "Plumb". The loader reads
// that note from the file, compares the fingerprint field by field with its own, and only then calls dlopen.
//
//   const char* ours = PLUMB_ABI_FINGERPRINT("none");
//   // "sdk=2 arch=x86_64-linux stdlib=libstdc++ cxx11abi=1 debug=0 san=none torch=none"
//
// Thread contract: everything here is constant data.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#if defined(__SANITIZE_ADDRESS__)
#define PLUMB_ABI_SANITIZER "address"
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PLUMB_ABI_SANITIZER "address"
#endif
#endif
#ifndef PLUMB_ABI_SANITIZER
#define PLUMB_ABI_SANITIZER "none"
#endif

#if defined(__x86_64__)
#define PLUMB_ABI_ARCH "x86_64-linux"
#elif defined(__aarch64__)
#define PLUMB_ABI_ARCH "aarch64-linux"
#else
#error "Plumbline supports x86_64 and aarch64 Linux"
#endif

#include <string>  // defines the standard library's own version macros, used below

#if defined(_LIBCPP_VERSION)
#define PLUMB_ABI_STDLIB "libc++"
#else
#define PLUMB_ABI_STDLIB "libstdc++"
#endif
#ifndef PLUMB_ABI_CXX11  // tests build plugins that claim another one
#if defined(_LIBCPP_VERSION) || _GLIBCXX_USE_CXX11_ABI
#define PLUMB_ABI_CXX11 "1"
#else
#define PLUMB_ABI_CXX11 "0"
#endif
#endif

#if defined(_GLIBCXX_DEBUG)
#define PLUMB_ABI_DEBUG "1"
#else
#define PLUMB_ABI_DEBUG "0"
#endif

// `tensor/torch.h` defines PLUMB_ABI_TORCH; a torch-free plugin never includes it.
#ifndef PLUMB_SDK_ABI
#define PLUMB_SDK_ABI "2"
#endif

#define PLUMB_ABI_FINGERPRINT(torch)                                                                    \
  "sdk=" PLUMB_SDK_ABI " arch=" PLUMB_ABI_ARCH " stdlib=" PLUMB_ABI_STDLIB " cxx11abi=" PLUMB_ABI_CXX11 \
  " debug=" PLUMB_ABI_DEBUG " san=" PLUMB_ABI_SANITIZER " torch=" torch

namespace plumb::abi {

inline constexpr std::uint32_t kMagic = 0x424d4c50;  // "PLMB", little endian
inline constexpr std::uint32_t kNoteType = 1;
inline constexpr std::string_view kNoteName = "Plumb";
inline constexpr const char* kEntrySymbol = "plumb_plugin_entry_v1";

// What the entry symbol returns. C layout, frozen; a later version only appends and grows struct_size.
struct PluginEntry {
  std::uint32_t magic;
  std::uint32_t struct_size;
  const char* fingerprint;  // must equal the note's
  const char* manifest;     // must equal the note's
  // Registers the components. Returns 0, or non-zero with a message in `error` (NUL-terminated, cut at `error_size`).
  int (*open)(void* registrar, char* error, std::size_t error_size) noexcept;
};

// The note as it lies in the file: ELF header words, the padded name, then "fingerprint\0manifest\0".
template <std::size_t N>
struct Note {
  std::uint32_t name_size;
  std::uint32_t description_size;
  std::uint32_t type;
  char name[8];
  char description[N];
};

template <std::size_t A, std::size_t B>
consteval auto make_note(const char (&fingerprint)[A], const char (&manifest)[B]) {
  constexpr std::size_t size = (A + B + 3) / 4 * 4;
  Note<size> note{};
  note.name_size = 6;
  note.description_size = A + B;
  note.type = kNoteType;
  for (std::size_t i = 0; i < kNoteName.size(); ++i) note.name[i] = kNoteName[i];
  for (std::size_t i = 0; i < A; ++i) note.description[i] = fingerprint[i];
  for (std::size_t i = 0; i < B; ++i) note.description[A + i] = manifest[i];
  return note;
}

}  // namespace plumb::abi
