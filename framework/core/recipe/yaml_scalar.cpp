#include "framework/core/recipe/yaml_scalar.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace plumb {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::size_t digits_at(std::string_view s, std::size_t from) {
  std::size_t n = 0;
  while (from + n < s.size() && is_digit(s[from + n])) ++n;
  return n;
}

// [0-9]* ( \. [0-9]* )? ( [eE] [-+]? [0-9]+ )? with at least one digit before the exponent; the sign is gone already.
bool is_decimal(std::string_view s, bool& integral) {
  std::size_t at = digits_at(s, 0);
  std::size_t mantissa = at;
  integral = true;
  if (at < s.size() && s[at] == '.') {
    integral = false;
    const std::size_t fraction = digits_at(s, at + 1);
    mantissa += fraction;
    at += 1 + fraction;
  }
  if (mantissa == 0) return false;
  if (at < s.size() && (s[at] == 'e' || s[at] == 'E')) {
    integral = false;
    ++at;
    if (at < s.size() && (s[at] == '-' || s[at] == '+')) ++at;
    const std::size_t exponent = digits_at(s, at);
    if (exponent == 0) return false;
    at += exponent;
  }
  return at == s.size();
}

PlainScalar refuse(std::string_view text, std::string_view why, const std::string& instead) {
  return {std::string(text), fmt::format("'{}' {}: write {}, or \"{}\" in quotes for text", text, why, instead, text)};
}

// 0x1F, 0o17, 0b11 as a decimal number, or empty.
std::string other_base(std::string_view digits) {
  if (digits.size() < 3 || digits[0] != '0') return {};
  const char letter = static_cast<char>(digits[1] | 0x20);
  const int base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
  if (base == 0) return {};
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data() + 2, digits.data() + digits.size(), number, base);
  if (end != digits.data() + digits.size()) return {};
  return error == std::errc() ? std::to_string(number) : "a decimal number";
}

PlainScalar read_decimal(std::string_view text, std::string_view sign, std::string_view digits, bool integral) {
  if (digits.size() > 1 && digits[0] == '0' && is_digit(digits[1])) {
    const std::size_t zeros = std::min(digits.find_first_not_of('0'), digits.size() - 1);
    const std::string_view rest = digits.substr(is_digit(digits[zeros]) ? zeros : zeros - 1);
    return refuse(text, "starts with a zero, which reads as octal elsewhere", std::string(sign) + std::string(rest));
  }
  const std::string number = (sign == "-" ? "-" : "") + std::string(digits);
  if (integral) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (error == std::errc()) return {value, {}};
    return refuse(text, "does not fit 64 bits", "a smaller number");
  }
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error == std::errc() && std::isfinite(value)) return {value, {}};
  return refuse(text, "does not fit a double", "a number that does");
}

PlainScalar read_number_or_text(std::string_view text) {
  const std::string_view sign = text[0] == '-' || text[0] == '+' ? text.substr(0, 1) : std::string_view();
  const std::string_view digits = text.substr(sign.size());
  bool integral = false;
  if (is_decimal(digits, integral)) return read_decimal(text, sign, digits, integral);
  if (digits == ".inf" || digits == ".Inf" || digits == ".INF" || digits == ".nan" || digits == ".NaN" ||
      digits == ".NAN") {
    return refuse(text, "is not a finite number", "a finite one");
  }
  if (const std::string decimal = other_base(digits); !decimal.empty()) {
    return refuse(text, "is not decimal", (sign == "-" ? "-" : "") + decimal);
  }
  if (!digits.empty() && is_digit(digits[0]) && digits.find('_') != std::string_view::npos) {
    std::string plain(digits);
    std::erase(plain, '_');
    if (is_decimal(plain, integral)) return refuse(text, "holds an underscore", std::string(sign) + plain);
  }
  return {std::string(text), {}};
}

// Characters that need no thought wherever they stand in a block or in a list.
bool is_plain_character(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' || c == '/' ||
         c == '-' || c == '+' || c == ' ';
}

bool reads_back(const std::string& s) {
  if (s.empty() || s.front() == ' ' || s.back() == ' ' || s.front() == '-' || s.starts_with("...")) return false;
  if (!std::all_of(s.begin(), s.end(), is_plain_character)) return false;
  const PlainScalar read = read_plain_scalar(s);
  return read.complaint.empty() && read.value == Value(s);
}

std::string quote(const std::string& s) {
  std::string out = "\"";
  for (char c : s) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\x{:02X}", byte);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string write_real(double v) {
  char buffer[32];
  const auto [end, error] = std::to_chars(std::begin(buffer), std::end(buffer), v);
  std::string out(std::begin(buffer), end);
  if (out.find_first_of(".e") == std::string::npos) out += ".0";
  return out;
}

}  // namespace

PlainScalar read_plain_scalar(std::string_view text) {
  if (text.empty() || text == "null" || text == "~") return {};
  if (text == "true") return {true, {}};
  if (text == "false") return {false, {}};
  if (text == "Null" || text == "NULL") return refuse(text, "is null in some YAML versions only", "null");
  if (text == "True" || text == "TRUE") return refuse(text, "is a boolean in some YAML versions only", "true");
  if (text == "False" || text == "FALSE") return refuse(text, "is a boolean in some YAML versions only", "false");
  if (is_digit(text[0]) || text[0] == '-' || text[0] == '+' || text[0] == '.') return read_number_or_text(text);
  return {std::string(text), {}};
}

std::string write_scalar(const Value& value) {
  switch (value.type()) {
    case Value::Type::null:
      return "null";
    case Value::Type::boolean:
      return value.as_bool() ? "true" : "false";
    case Value::Type::integer:
      return std::to_string(value.as_int());
    case Value::Type::real:
      return write_real(value.as_double());
    default:
      return reads_back(value.as_string()) ? value.as_string() : quote(value.as_string());
  }
}

}  // namespace plumb
