#include "plumb/utf8.h"

#include <algorithm>
#include <span>

#include "unicode_classes.h"

namespace plumb {
inline namespace v1 {
namespace {

bool contains(std::span<const CodeRange> ranges, char32_t code) {
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), code,
                                      [](char32_t value, const CodeRange& range) { return value < range.first; });
  return after != ranges.begin() && code <= std::prev(after)->last;
}

// What the lead byte allows: how many bytes, and the bounds of the second (which exclude overlong forms, surrogates and
// codes above U+10FFFF; Unicode 16.0, table 3-7).
struct Lead {
  std::uint8_t size, low, high;
};

Lead lead(unsigned char byte) {
  if (byte >= 0xC2 && byte <= 0xDF) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte >= 0xF1 && byte <= 0xF3) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

}  // namespace

Character first_character(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return {byte(0), 1, true, false};
  const Lead form = lead(byte(0));
  if (form.size == 0) return {};
  char32_t code = byte(0) & (0x7Fu >> form.size);
  for (std::uint8_t i = 1; i < form.size; ++i) {
    if (i == text.size()) return {kReplacement, i, false, true};
    const unsigned char next = byte(i);
    const bool fits = i == 1 ? next >= form.low && next <= form.high : (next & 0xC0u) == 0x80;
    if (!fits) return {kReplacement, i, false, false};
    code = code << 6 | (next & 0x3Fu);
  }
  return {code, form.size, true, false};
}

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const Character c = first_character(text);
    if (!c.valid) return false;
    text.remove_prefix(c.size);
  }
  return true;
}

std::string lossy_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character c = first_character(text);
    if (c.valid) {
      out.append(text.substr(0, c.size));
    } else {
      append_utf8(out, kReplacement);
    }
    text.remove_prefix(c.size);
  }
  return out;
}

void append_utf8(std::string& out, char32_t code) {
  const auto put = [&](char32_t byte) { out.push_back(static_cast<char>(static_cast<unsigned char>(byte))); };
  const auto tail = [&](int shift) { put(0x80 | (code >> shift & 0x3F)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    tail(0);
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    tail(6), tail(0);
  } else {
    put(0xF0 | code >> 18);
    tail(12), tail(6), tail(0);
  }
}

std::size_t count_characters(std::string_view text) noexcept {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char byte) { return !continues_character(byte); }));
}

std::string_view first_characters(std::string_view text, std::size_t count) noexcept {
  std::size_t characters = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!continues_character(text[i]) && ++characters > count) return text.substr(0, i);
  }
  return text;
}

std::string_view first_bytes(std::string_view text, std::size_t bytes) noexcept {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && continues_character(text[bytes])) --bytes;
  return text.substr(0, bytes);
}

bool is_letter(char32_t code) noexcept {
  if (code < 0x80) return (code | 0x20) >= 'a' && (code | 0x20) <= 'z';
  return contains(letters(), code);
}

bool is_number(char32_t code) noexcept {
  if (code < 0x80) return code >= '0' && code <= '9';
  return contains(numbers(), code);
}

bool is_space(char32_t code) noexcept {
  if (code < 0x80) return code == ' ' || (code >= 0x09 && code <= 0x0D);
  return code == 0x85 || code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
         code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

std::string_view strip(std::string_view text) noexcept {
  std::size_t begin = 0, end = 0;
  bool started = false;
  for (std::size_t i = 0; i < text.size();) {
    const Character c = first_character(text.substr(i));
    i += c.size;
    if (is_space(c.code)) {
      if (!started) begin = i;
    } else {
      started = true;
      end = i;
    }
  }
  return started ? text.substr(begin, end - begin) : std::string_view();
}

}  // namespace v1
}  // namespace plumb
