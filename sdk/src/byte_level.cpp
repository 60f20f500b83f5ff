#include "plumb/byte_level.h"

#include <array>

#include "plumb/utf8.h"

namespace plumb {
inline namespace v1 {
namespace {

enum class Class { letter, number, space, other };

Class class_of(char32_t code) {
  if (is_letter(code)) return Class::letter;
  if (is_number(code)) return Class::number;
  return is_space(code) ? Class::space : Class::other;
}

std::size_t contraction(std::string_view text) {
  for (const std::string_view ending : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}) {
    if (text.starts_with(ending)) return ending.size();
  }
  return 0;
}

// Bytes of the longest run of one class from `begin`; `last` receives the start of its last character.
std::size_t run_of(std::string_view text, std::size_t begin, Class wanted, std::size_t* last = nullptr) {
  std::size_t end = begin;
  while (end < text.size()) {
    const Character c = first_character(text.substr(end));
    if (class_of(c.code) != wanted) break;
    if (last != nullptr) *last = end;
    end += c.size;
  }
  return end;
}

// Bytes that print as themselves keep their code; the others get the codes from 256 on, in order.
struct Alphabet {
  std::array<char16_t, 256> letter{};
  std::array<short, 256 + 68> byte{};
};

constexpr Alphabet make_alphabet() {
  Alphabet a;
  a.byte.fill(-1);
  char16_t next = 256;
  for (unsigned b = 0; b < 256; ++b) {
    const bool prints = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
    a.letter[b] = prints ? static_cast<char16_t>(b) : next++;
    a.byte[a.letter[b]] = static_cast<short>(b);
  }
  return a;
}
constexpr Alphabet kAlphabet = make_alphabet();

}  // namespace

std::size_t first_word(std::string_view text) noexcept {
  if (const std::size_t size = contraction(text)) return size;
  const std::size_t body = text.front() == ' ' ? 1 : 0;
  if (body < text.size()) {
    const Class kind = class_of(first_character(text.substr(body)).code);
    if (kind != Class::space) return run_of(text, body, kind);
  }
  // White space: all of it at the end of the text, else all but the last character, which may begin the next word.
  std::size_t last = 0;
  const std::size_t end = run_of(text, 0, Class::space, &last);
  return end == text.size() || last == 0 ? end : last;
}

char32_t byte_letter(unsigned char byte) noexcept {
  return kAlphabet.letter[byte];
}

std::optional<unsigned char> byte_of_letter(char32_t letter) noexcept {
  if (letter >= kAlphabet.byte.size() || kAlphabet.byte[letter] < 0) return std::nullopt;
  return static_cast<unsigned char>(kAlphabet.byte[letter]);
}

std::string to_byte_letters(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) append_utf8(out, byte_letter(static_cast<unsigned char>(c)));
  return out;
}

}  // namespace v1
}  // namespace plumb
