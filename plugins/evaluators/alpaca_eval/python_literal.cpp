#include "python_literal.h"

#include <plumb/utf8.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <string>
#include <utility>

namespace alpaca_eval {
namespace {

using plumb::Value;

struct NotALiteral {};

constexpr int deepest = 64;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool in_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

void append(std::string& out, std::uint32_t code) {
  if (code > 0x10ffff) throw NotALiteral{};
  plumb::append_utf8(out, code);
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Value whole() {
    Value value = this->value(0);
    skip(true);
    if (at_ != text_.size()) throw NotALiteral{};
    return value;
  }

 private:
  [[nodiscard]] char here() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  [[nodiscard]] bool starts(std::string_view word) const { return text_.substr(at_).starts_with(word); }
  bool take(char c) {
    if (here() != c || at_ == text_.size()) return false;
    ++at_;
    return true;
  }

  // Blanks and comments; a line may end inside brackets, and before or behind the literal.
  void skip(bool lines) {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (c == ' ' || c == '\t' || c == '\f' || (lines && (c == '\n' || c == '\r'))) {
        ++at_;
      } else {
        return;
      }
    }
  }

  Value value(int depth) {
    if (depth > deepest) throw NotALiteral{};
    skip(true);
    const char c = here();
    if (c == '[') return list(']', depth);
    if (c == '(') return list(')', depth);
    if (c == '{') return map(depth);
    if (is_digit(c) || c == '.' || c == '-' || c == '+') return number();
    if (at_text()) return texts(depth);
    for (const auto& [name, value] :
         {std::pair{"True", Value(true)}, std::pair{"False", Value(false)}, std::pair{"None", Value()}}) {
      const std::string_view word = name;
      if (!starts(word) || (at_ + word.size() < text_.size() && in_name(text_[at_ + word.size()]))) continue;
      at_ += word.size();
      return value;
    }
    throw NotALiteral{};
  }

  Value list(char end, int depth) {
    ++at_;
    Value::List list;
    bool comma = false;
    for (skip(true); !take(end); skip(true)) {
      if (!list.empty() && !comma) throw NotALiteral{};
      list.push_back(value(depth + 1));
      skip(true);
      comma = take(',');
    }
    if (end == ')' && list.size() == 1 && !comma) return std::move(list.front());  // brackets around one value
    if (end == ')' && list.empty() && comma) throw NotALiteral{};
    return list;
  }

  Value map(int depth) {
    ++at_;
    Value map = Value::map();
    bool comma = true;
    for (skip(true); !take('}'); skip(true)) {
      if (!comma) throw NotALiteral{};
      const Value key = value(depth + 1);
      skip(true);
      if (!key.is_string() || !take(':')) throw NotALiteral{};
      map.set(key.as_string(), value(depth + 1));
      skip(true);
      comma = take(',');
    }
    return map;
  }

  Value number() {
    const std::size_t begin = at_;
    if (here() == '-' || here() == '+') ++at_;
    skip(false);
    if (here() == '0' && at_ + 1 < text_.size() &&
        std::string_view("xXoObB").find(text_[at_ + 1]) != std::string_view::npos) {
      return based(text_[begin] == '-');
    }
    const std::size_t digits = at_;
    bool real = false;
    for (; is_digit(here()) || here() == '.' || here() == 'e' || here() == 'E' || here() == '_' ||
           ((here() == '-' || here() == '+') && at_ > digits && (text_[at_ - 1] == 'e' || text_[at_ - 1] == 'E'));
         ++at_) {
      real = real || here() == '.' || here() == 'e' || here() == 'E';
    }
    std::string written;
    for (const char c : text_.substr(digits, at_ - digits)) {
      if (c != '_') written += c;
    }
    const bool zeros = written.find_first_not_of('0') == std::string::npos;
    if (written.empty() || in_name(here()) || (!real && written[0] == '0' && !zeros)) throw NotALiteral{};
    const bool negative = text_[begin] == '-';
    std::int64_t whole = 0;
    const char* end = written.data() + written.size();
    if (!real) {
      const auto [stop, error] = std::from_chars(written.data(), end, whole);
      if (stop != end || error != std::errc()) throw NotALiteral{};
      return negative ? -whole : whole;
    }
    double fraction = 0;
    const auto [stop, error] = std::from_chars(written.data(), end, fraction);
    if (stop != end || error != std::errc()) throw NotALiteral{};
    return negative ? -fraction : fraction;
  }

  // A whole number such as 0x1f.
  Value based(bool negative) {
    const char letter = static_cast<char>(std::tolower(static_cast<unsigned char>(text_[at_ + 1])));
    at_ += 2;
    std::string written;
    for (; in_name(here()); ++at_) {
      if (here() != '_') written += here();
    }
    std::int64_t whole = 0;
    const char* end = written.data() + written.size();
    const auto [stop, error] = std::from_chars(written.data(), end, whole, letter == 'x' ? 16 : letter == 'o' ? 8 : 2);
    if (written.empty() || stop != end || error != std::errc()) throw NotALiteral{};
    return negative ? -whole : whole;
  }

  // Whether a text begins here: a quote, or the letters r and u before one.
  [[nodiscard]] bool at_text() const {
    const char c = here();
    const char next = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    const bool prefix = c == 'r' || c == 'R' || c == 'u' || c == 'U';
    return c == '\'' || c == '"' || (prefix && (next == '\'' || next == '"'));
  }

  // Texts that follow each other are one. Between them a line may only end inside brackets.
  Value texts(int depth) {
    std::string joined;
    while (at_text()) {
      text(joined);
      const std::size_t end = at_;
      skip(depth > 0);
      if (!at_text()) at_ = end;
    }
    return joined;
  }

  void text(std::string& out) {
    const bool raw = here() == 'r' || here() == 'R';
    if (here() != '\'' && here() != '"') ++at_;
    const char quote = here();
    const std::string mark = starts(std::string(3, quote)) ? std::string(3, quote) : std::string(1, quote);
    at_ += mark.size();
    while (!starts(mark)) {
      if (at_ >= text_.size() || (mark.size() == 1 && here() == '\n')) throw NotALiteral{};
      const char c = text_[at_++];
      if (c != '\\') {
        out += c;
      } else if (raw) {
        out += c;
        if (at_ < text_.size()) out += text_[at_++];
      } else {
        escape(out);
      }
    }
    at_ += mark.size();
  }

  void escape(std::string& out) {
    static constexpr std::string_view letters = "abfnrtv\\'\"", meant = "\a\b\f\n\r\t\v\\'\"";
    if (at_ >= text_.size()) throw NotALiteral{};
    const char c = text_[at_++];
    if (const std::size_t known = letters.find(c); known != std::string_view::npos) {
      out += meant[known];
    } else if (c == 'x' || c == 'u' || c == 'U') {
      append(out, code(c == 'x' ? 2 : c == 'u' ? 4 : 8, 16));
    } else if (c >= '0' && c <= '7') {
      --at_;
      std::size_t digits = 1;
      while (digits < 3 && at_ + digits < text_.size() && text_[at_ + digits] >= '0' && text_[at_ + digits] <= '7')
        ++digits;
      append(out, code(digits, 8));
    } else if (c == 'N') {
      throw NotALiteral{};
    } else if (c != '\n') {  // an unknown escape stays as it is; the end of a line is passed over
      out += {'\\', c};
    }
  }

  std::uint32_t code(std::size_t digits, int base) {
    const std::string_view written = text_.substr(at_, digits);
    std::uint32_t code = 0;
    const auto [stop, error] = std::from_chars(written.data(), written.data() + written.size(), code, base);
    if (written.size() != digits || error != std::errc() || stop != written.data() + digits) throw NotALiteral{};
    at_ += digits;
    return code;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::optional<Value> read_python_literal(std::string_view text) {
  try {
    return Reader(text).whole();
  } catch (const NotALiteral&) {
    return std::nullopt;
  }
}

}  // namespace alpaca_eval
