// A place in a pattern of Oniguruma's syntax, and what groups and classes share in reading on from it: escapes.
// PatternError (onig_pattern.h) for what is malformed.
// Thread contract: [lane].
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "character_sets.h"
#include "onig_pattern.h"
#include "plumb/utf8.h"

namespace plumb::tokenizers {

class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  [[nodiscard]] bool done() const { return at_ >= text_.size(); }
  [[nodiscard]] std::size_t at() const { return at_; }
  [[nodiscard]] bool ahead(std::string_view wanted) const { return text_.substr(at_).starts_with(wanted); }
  bool take(std::string_view wanted) {
    const bool there = ahead(wanted);
    if (there) at_ += wanted.size();
    return there;
  }
  char32_t next() {
    if (done()) fail("the pattern ends too early");
    const Character c = first_character(text_.substr(at_));
    at_ += c.size;
    return c.code;
  }
  [[nodiscard]] bool ahead_digit() const { return digit(10).has_value(); }
  void rewind(std::size_t to) { at_ = to; }
  std::string_view up_to(char end, const char* what) {
    const std::size_t found = text_.find(end, at_);
    if (found == std::string_view::npos) fail(std::string(what) + " has no end");
    const std::string_view inner = text_.substr(at_, found - at_);
    at_ = found + 1;
    return inner;
  }
  [[noreturn]] void fail(const std::string& why) const { throw PatternError(at_, why); }

  // After a backslash: the character it stands for, or nothing for a set or an assertion.
  std::optional<char32_t> escaped_character() {
    const std::size_t begin = at_;
    const char32_t c = next();
    switch (c) {
      case 't':
        return '\t';
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 'f':
        return '\f';
      case 'v':
        return '\v';
      case 'a':
        return '\a';
      case 'e':
        return 0x1B;
      case 'x':
        return take("{") ? braced_code() : number(16, 1, 2);
      case 'u':
        return number(16, 4, 4);
      case '0':
        return digit(8) ? number(8, 1, 2) : 0;
      default:
        break;
    }
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool plain_letter =
        letter && std::string_view("EFIJLQTUVijlmq").find(static_cast<char>(c)) != std::string_view::npos;
    if (!letter && !(c >= '1' && c <= '9')) return c;
    if (plain_letter) return c;
    at_ = begin;
    return std::nullopt;
  }

  // After a backslash: a set, or nothing.
  std::optional<CharacterSet> escaped_set() {
    const std::size_t begin = at_;
    switch (next()) {
      case 's':
        return white_space();
      case 'S':
        return complement(white_space());
      case 'd':
        return decimal_digits();
      case 'D':
        return complement(decimal_digits());
      case 'w':
        return word_characters();
      case 'W':
        return complement(word_characters());
      case 'h':
        return hexadecimal_digits();
      case 'H':
        return complement(hexadecimal_digits());
      case 'p':
        return property(false);
      case 'P':
        return property(true);
      default:
        at_ = begin;
        return std::nullopt;
    }
  }

  // After "[:" of a class: the set, or nothing when no ":]" follows.
  std::optional<CharacterSet> posix_bracket() {
    const std::size_t end = text_.find(":]", at_);
    if (end == std::string_view::npos || end - at_ > 20) return std::nullopt;
    std::string_view name = text_.substr(at_, end - at_);
    const bool negated = name.starts_with('^');
    if (negated) name.remove_prefix(1);
    const auto set = bracket_set(name);
    if (!set) fail("[:" + std::string(name) + ":] is no known set");
    at_ = end + 2;
    return negated ? complement(*set) : *set;
  }

 private:
  CharacterSet property(bool negated) {
    if (!take("{")) fail("\\p wants a name in braces");
    std::string_view name = up_to('}', "\\p{…}");
    if (name.starts_with('^')) {
      negated = !negated;
      name.remove_prefix(1);
    }
    const auto set = named_set(name);
    if (!set) fail("\\p{" + std::string(name) + "} is no known property");
    return negated ? complement(*set) : *set;
  }

  [[nodiscard]] std::optional<char32_t> digit(char32_t base) const {
    if (done()) return std::nullopt;
    const char c = text_[at_];
    char32_t value = 99;
    if (c >= '0' && c <= '9') value = static_cast<char32_t>(c - '0');
    if (c >= 'a' && c <= 'f') value = static_cast<char32_t>(c - 'a' + 10);
    if (c >= 'A' && c <= 'F') value = static_cast<char32_t>(c - 'A' + 10);
    return value < base ? std::optional(value) : std::nullopt;
  }
  char32_t number(char32_t base, int least, int most) {
    char32_t value = 0;
    int count = 0;
    for (; count < most; ++count, ++at_) {
      const auto d = digit(base);
      if (!d) break;
      value = value * base + *d;
    }
    if (count < least) fail("a character's number has too few digits");
    if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) fail("there is no character of this number");
    return value;
  }
  char32_t braced_code() {
    const char32_t value = number(16, 1, 8);
    if (!take("}")) fail("\\x{…} wants one hexadecimal number");
    return value;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace plumb::tokenizers
