#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "plumb/error.h"
#include "plumb/utf8.h"
#include "plumb/value.h"

namespace plumb {
inline namespace v1 {
namespace {

class Writer {
 public:
  Writer(bool sorted, int indent) : sorted_(sorted), indent_(indent) {}

  void write(const Value& value) {
    switch (value.type()) {
      case Value::Type::null:
        out_ += "null";
        break;
      case Value::Type::boolean:
        out_ += value.as_bool() ? "true" : "false";
        break;
      case Value::Type::integer:
        out_ += std::to_string(value.as_int());
        break;
      case Value::Type::real:
        real(value.as_double());
        break;
      case Value::Type::string:
        string(value.as_string());
        break;
      case Value::Type::list:
        list(value.as_list());
        break;
      case Value::Type::map:
        map(value.as_map());
        break;
    }
  }

  std::string take() && { return std::move(out_); }

 private:
  // Shortest text that reads back as the same number; a real stays a real ("1.0").
  void real(double number) {
    if (!std::isfinite(number)) {
      throw Error(ErrorCode::run_failed, "JSON has no form for " + std::to_string(number) + "; only finite numbers");
    }
    char text[32];
    const char* end = std::to_chars(text, text + sizeof text, number).ptr;
    const std::string_view digits(text, static_cast<std::size_t>(end - text));
    out_ += digits;
    if (digits.find_first_of(".e") == std::string_view::npos) out_ += ".0";
  }

  void string(std::string_view text) {
    out_ += '"';
    while (!text.empty()) {
      const Character next = first_character(text);
      const std::size_t size = next.valid ? next.size : 1;  // one U+FFFD for each byte that is none
      if (next.valid && size == 1) {
        character(text[0]);
      } else if (!next.valid) {
        out_ += "\xEF\xBF\xBD";  // malformed: U+FFFD, so that the file stays readable
      } else {
        out_ += text.substr(0, size);
      }
      text.remove_prefix(size);
    }
    out_ += '"';
  }

  void character(char c) {
    switch (c) {
      case '"':
        out_ += "\\\"";
        return;
      case '\\':
        out_ += "\\\\";
        return;
      case '\b':
        out_ += "\\b";
        return;
      case '\f':
        out_ += "\\f";
        return;
      case '\n':
        out_ += "\\n";
        return;
      case '\r':
        out_ += "\\r";
        return;
      case '\t':
        out_ += "\\t";
        return;
      default:
        break;
    }
    if (static_cast<unsigned char>(c) >= 0x20) {
      out_ += c;
      return;
    }
    constexpr char digits[] = "0123456789abcdef";
    out_ += "\\u00";
    out_ += digits[c >> 4];
    out_ += digits[c & 15];
  }

  void list(const Value::List& items) {
    out_ += '[';
    ++depth_;
    for (std::size_t i = 0; i < items.size(); ++i) {
      separate(i);
      write(items[i]);
    }
    close(items.empty(), ']');
  }

  void map(const Value::Map& entries) {
    std::vector<std::size_t> order(entries.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    if (sorted_) {
      std::sort(order.begin(), order.end(), [&](auto a, auto b) { return entries[a].key < entries[b].key; });
    }
    out_ += '{';
    ++depth_;
    for (std::size_t i = 0; i < order.size(); ++i) {
      separate(i);
      string(entries[order[i]].key);
      out_ += indent_ > 0 ? ": " : ":";
      write(entries[order[i]].value);
    }
    close(entries.empty(), '}');
  }

  void separate(std::size_t index) {
    if (index > 0) out_ += ',';
    new_line();
  }

  void close(bool empty, char bracket) {
    --depth_;
    if (!empty) new_line();
    out_ += bracket;
  }

  void new_line() {
    if (indent_ <= 0) return;
    out_ += '\n';
    out_.append(static_cast<std::size_t>(depth_ * indent_), ' ');
  }

  std::string out_;
  bool sorted_;
  int indent_;
  int depth_ = 0;
};

}  // namespace

std::string to_json(const Value& value, bool sorted, int indent) {
  Writer writer(sorted, indent);
  writer.write(value);
  return std::move(writer).take();
}

}  // namespace v1
}  // namespace plumb
