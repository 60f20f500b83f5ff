#include <algorithm>
#include <charconv>
#include <cmath>

#include "plumb/error.h"
#include "plumb/utf8.h"
#include "plumb/value.h"

namespace plumb {
inline namespace v1 {
namespace {

constexpr int kDepthLimit = 64;

class Parser {
 public:
  Parser(std::string_view text, std::string_view origin, int first_line)
      : text_(text), origin_(origin), first_line_(first_line) {}

  Value document() {
    if (text_.substr(0, 3) == "\xEF\xBB\xBF") fail(0, "starts with a byte order mark; JSON is plain UTF-8");
    Value value = this->value(0);
    skip_space();
    if (at_ < text_.size()) fail(at_, "there is text after the value");
    return value;
  }

 private:
  // Places are asked for in rising order, so each character is counted once.
  Mark mark(std::size_t offset) {
    if (offset < marked_) {
      marked_ = 0;
      last_ = {first_line_, 1};
    }
    for (; marked_ < offset; ++marked_) {
      if (text_[marked_] == '\n') {
        last_ = {last_.line + 1, 1};
      } else if (!continues_character(text_[marked_])) {
        ++last_.column;
      }
    }
    return last_;
  }

  [[noreturn]] void fail(std::size_t offset, const std::string& message) {
    const Mark place = mark(std::min(offset, text_.size()));
    throw Error(ErrorCode::data, std::string(origin_) + ":" + std::to_string(place.line) + ":" +
                                     std::to_string(place.column) + ": " + message);
  }

  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  std::string found() {
    if (at_ >= text_.size()) return "the end of the text";
    const std::size_t size = first_character(text_.substr(at_)).size;
    return "`" + std::string(text_.substr(at_, size)) + "`";
  }

  void skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) {
      ++at_;
    }
  }

  Value value(int depth) {
    skip_space();
    if (depth > kDepthLimit) fail(at_, "nested more than " + std::to_string(kDepthLimit) + " deep");
    const Mark place = mark(at_);
    Value out;
    switch (peek()) {
      case '{':
        out = map(depth);
        break;
      case '[':
        out = list(depth);
        break;
      case '"':
        out = string();
        break;
      case 't':
        out = word("true", true);
        break;
      case 'f':
        out = word("false", false);
        break;
      case 'n':
        out = word("null", Value());
        break;
      default:
        out = number();
    }
    out.mark = place;
    return out;
  }

  Value word(std::string_view spelling, Value meaning) {
    if (text_.substr(at_, spelling.size()) != spelling) fail(at_, "found " + found() + ", wanted a value");
    at_ += spelling.size();
    return meaning;
  }

  Value list(int depth) {
    Value::List items;
    ++at_;
    skip_space();
    if (peek() == ']') {
      ++at_;
      return items;
    }
    while (true) {
      items.push_back(value(depth + 1));
      skip_space();
      if (peek() == ']') break;
      if (peek() != ',') fail(at_, "found " + found() + ", wanted `,` or `]`");
      ++at_;
    }
    ++at_;
    return items;
  }

  Value map(int depth) {
    Value out = Value::map();
    Value::Map& entries = out.as_map();
    ++at_;
    skip_space();
    if (peek() == '}') {
      ++at_;
      return out;
    }
    while (true) {
      skip_space();
      if (peek() != '"') fail(at_, "found " + found() + ", wanted a key in double quotes");
      const Mark key_mark = mark(at_);
      std::string key = string();
      skip_space();
      if (peek() != ':') fail(at_, "found " + found() + ", wanted `:`");
      ++at_;
      Value item = value(depth + 1);
      item.key_mark = key_mark;
      entries.push_back({std::move(key), std::move(item)});
      skip_space();
      if (peek() == '}') break;
      if (peek() != ',') fail(at_, "found " + found() + ", wanted `,` or `}`");
      ++at_;
    }
    ++at_;
    refuse_duplicates(entries);
    return out;
  }

  // By sorting, because a vocabulary is a map of a hundred thousand keys.
  void refuse_duplicates(const Value::Map& entries) {
    std::vector<const Value::Entry*> order;
    order.reserve(entries.size());
    for (const Value::Entry& entry : entries) order.push_back(&entry);
    std::sort(order.begin(), order.end(), [](auto a, auto b) { return a->key != b->key ? a->key < b->key : a < b; });
    const Value::Entry* second = nullptr;
    for (std::size_t i = 1; i < order.size(); ++i) {
      if (order[i]->key == order[i - 1]->key && (second == nullptr || order[i] < second)) second = order[i];
    }
    if (second == nullptr) return;
    const Mark place = second->value.key_mark;
    throw Error(ErrorCode::data, std::string(origin_) + ":" + std::to_string(place.line) + ":" +
                                     std::to_string(place.column) + ": key \"" + second->key + "\" appears twice");
  }

  std::string string() {
    const std::size_t start = at_++;
    std::string out;
    while (true) {
      const std::size_t run = plain(at_);
      out += text_.substr(at_, run - at_);
      at_ = run;
      if (at_ >= text_.size()) fail(start, "the string never ends");
      const Character next = first_character(text_.substr(at_));
      if (!next.valid) fail(at_, "malformed UTF-8");
      const char c = text_[at_];
      if (c == '"') break;
      if (static_cast<unsigned char>(c) < 0x20) fail(at_, "a control character in a string must be escaped");
      if (c == '\\') {
        escape(out);
      } else {
        out += text_.substr(at_, next.size);
        at_ += next.size;
      }
    }
    ++at_;
    return out;
  }

  // The end of the run of ASCII characters that stand for themselves.
  [[nodiscard]] std::size_t plain(std::size_t from) const {
    while (from < text_.size()) {
      const auto byte = static_cast<unsigned char>(text_[from]);
      if (byte < 0x20 || byte >= 0x80 || byte == '"' || byte == '\\') break;
      ++from;
    }
    return from;
  }

  void escape(std::string& out) {
    const std::size_t start = at_;
    at_ += 2;
    switch (start + 1 < text_.size() ? text_[start + 1] : '\0') {
      case '"':
        out += '"';
        return;
      case '\\':
        out += '\\';
        return;
      case '/':
        out += '/';
        return;
      case 'b':
        out += '\b';
        return;
      case 'f':
        out += '\f';
        return;
      case 'n':
        out += '\n';
        return;
      case 'r':
        out += '\r';
        return;
      case 't':
        out += '\t';
        return;
      case 'u':
        break;
      default:
        fail(start, "unknown escape; wanted one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX");
    }
    std::uint32_t code = hex4(start);
    if (code >= 0xD800 && code < 0xDC00 && text_.substr(at_, 2) == "\\u") {
      at_ += 2;
      const std::uint32_t low = hex4(start);
      if (low < 0xDC00 || low > 0xDFFF) fail(start, "half of a surrogate pair");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xD800 && code < 0xE000) {
      fail(start, "half of a surrogate pair");
    }
    append_utf8(out, code);
  }

  std::uint32_t hex4(std::size_t start) {
    std::uint32_t code = 0;
    const std::string_view digits = text_.substr(std::min(at_, text_.size()), 4);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (error != std::errc() || end != digits.data() + 4) fail(start, "wanted four hexadecimal digits after \\u");
    at_ += 4;
    return code;
  }

  std::size_t digits(std::size_t from) const {
    while (from < text_.size() && text_[from] >= '0' && text_[from] <= '9') ++from;
    return from;
  }

  // Integers that fit 64 bits stay integers, larger ones become reals.
  Value number() {
    const std::size_t start = at_;
    std::size_t end = start + (peek() == '-' ? 1 : 0);
    const std::size_t whole = end;
    end = digits(end);
    if (end == whole) fail(start, "found " + found() + ", wanted a value");
    if (text_[whole] == '0' && end > whole + 1) fail(start, "a number must not start with 0");
    bool integral = true;
    if (end < text_.size() && text_[end] == '.') {
      const std::size_t fraction = end + 1;
      end = digits(fraction);
      if (end == fraction) fail(start, "a number needs digits after its point");
      integral = false;
    }
    if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
      std::size_t exponent = end + 1;
      if (exponent < text_.size() && (text_[exponent] == '+' || text_[exponent] == '-')) ++exponent;
      end = digits(exponent);
      if (end == exponent) fail(start, "a number needs digits in its exponent");
      integral = false;
    }
    at_ = end;
    const char* first = text_.data() + start;
    const char* last = text_.data() + end;
    std::int64_t integer = 0;
    if (integral && std::from_chars(first, last, integer).ec == std::errc()) return integer;
    double real = 0;
    if (std::from_chars(first, last, real).ec == std::errc()) return real;
    if (tiny(text_.substr(start, end - start))) return *first == '-' ? -0.0 : 0.0;
    fail(start, "the number is too large for a double");
  }

  // from_chars reports overflow and underflow alike; only a negative exponent or a leading zero can underflow.
  static bool tiny(std::string_view number) {
    const std::size_t exponent = number.find_first_of("eE");
    if (exponent != std::string_view::npos) return number[exponent + 1] == '-';
    return number.substr(number[0] == '-' ? 1 : 0, 2) == "0.";
  }

  std::string_view text_, origin_;
  int first_line_;
  std::size_t at_ = 0;
  std::size_t marked_ = 0;
  Mark last_{first_line_, 1};
};

}  // namespace

Value parse_json(std::string_view text, std::string_view origin, int first_line) {
  return Parser(text, origin, first_line).document();
}

}  // namespace v1
}  // namespace plumb
