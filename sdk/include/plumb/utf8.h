// UTF-8 and the character classes that tokenizers ask for.
//
//   for (std::string_view rest = text; !rest.empty();) {
//     plumb::Character c = plumb::first_character(rest);
//     if (plumb::is_letter(c.code)) ++letters;
//     rest.remove_prefix(c.size);
//   }
//
// Classes are those of Unicode 16.0, which the Rust `tokenizers` library 0.23 knows.
// Thread contract: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace plumb {
inline namespace v1 {

inline constexpr char32_t kReplacement = 0xFFFD;

struct Character {
  char32_t code = kReplacement;
  std::uint8_t size = 1;  // bytes taken, 1 to 4
  bool valid = false;     // false: code is U+FFFD and size spans the maximal ill-formed subpart (Unicode 16.0, §3.9)
  bool cut_off = false;   // the text ends inside a sequence that further bytes could complete
};

// The first character of a text that is not empty.
Character first_character(std::string_view text) noexcept;

bool is_utf8(std::string_view text) noexcept;

// The text with every ill-formed subpart replaced by one U+FFFD, as Rust's from_utf8_lossy does.
std::string lossy_utf8(std::string_view text);

void append_utf8(std::string& out, char32_t code);

// Whether a byte stands inside a character, and not at its beginning: 0x80 to 0xBF.
constexpr bool continues_character(char byte) noexcept {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}
std::size_t count_characters(std::string_view text) noexcept;
// The first `count` characters; the text itself when it has no more.
std::string_view first_characters(std::string_view text, std::size_t count) noexcept;
// As many whole characters from the beginning as `bytes` bytes hold.
std::string_view first_bytes(std::string_view text, std::size_t bytes) noexcept;

bool is_letter(char32_t code) noexcept;  // general categories L*
bool is_number(char32_t code) noexcept;  // general categories N*
bool is_space(char32_t code) noexcept;   // property White_Space

// Without white space at either end.
std::string_view strip(std::string_view text) noexcept;

}  // namespace v1
}  // namespace plumb
