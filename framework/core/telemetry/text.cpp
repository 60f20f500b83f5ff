#include "framework/core/telemetry/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "plumb/utf8.h"

namespace plumb {
namespace {

// Characters that act instead of being seen: terminal controls (C0, DEL, C1), line and paragraph separators, and those
// that change the direction of what follows.
bool is_control(char32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x2028 || code == 0x2029 ||
         (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

template <class F>
std::string rewrite(std::string_view text, F&& character) {
  std::string out;
  for (std::string_view rest = text; !rest.empty();) {
    const Character next = first_character(rest);
    character(out, next.code);
    rest.remove_prefix(next.size);
  }
  return out;
}

void append_visible(std::string& out, char32_t code) {
  if (code == '\t') {
    out += ' ';
  } else {
    append_utf8(out, is_control(code) ? kReplacement : code);
  }
}

std::size_t width(std::string_view text) {
  std::size_t characters = 0;
  for (; !text.empty(); ++characters) text.remove_prefix(first_character(text).size);
  return characters;
}

// In a cell a number has nothing that Markdown would take for markup.
std::string markdown_cell(const std::string& cell) {
  return cell.find_first_not_of("0123456789+-.,% \u00b1") == std::string::npos ? cell : escape_markdown(cell);
}

std::string decimals(double value, int digits, bool sign) {
  return sign ? fmt::format("{:+.{}f}", value, digits) : fmt::format("{:.{}f}", value, digits);
}

}  // namespace

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

std::string escape_markdown(std::string_view text) {
  return rewrite(text, [](std::string& out, char32_t code) {
    if (code == '\n') {
      out += "<br>";
    } else if (code == '&') {
      out += "&amp;";
    } else if (code == '<') {
      out += "&lt;";
    } else {
      // CommonMark takes a backslash before any ASCII punctuation mark as "this very mark". Commas and quotes mean
      // nothing; dots and colons do in the bare addresses that GitHub makes links of, and in "1." at a line's start.
      if (code < 0x80 &&
          std::string_view("\\`*_{}[]()>#+-.!|~$@:=").find(static_cast<char>(code)) != std::string_view::npos) {
        out += '\\';
      }
      append_visible(out, code);
    }
  });
}

std::string code_markdown(std::string_view text) {
  std::string shown = rewrite(text, [](std::string& out, char32_t code) { append_visible(out, code); });
  std::size_t longest = 0, run = 0;
  for (const char c : shown) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  const std::string fence(longest + 1, '`');
  const std::string_view space = longest > 0 ? " " : "";
  return fmt::format("{0}{1}{2}{1}{0}", fence, space, shown);
}

std::string printable(std::string_view text) {
  return rewrite(text, [](std::string& out, char32_t code) {
    if (code == '\n') {
      out += '\n';
    } else {
      append_visible(out, code);
    }
  });
}

std::string to_markdown(const Table& table) {
  const auto line = [](const std::vector<std::string>& cells) {
    std::string out = "|";
    for (const std::string& cell : cells) out += " " + markdown_cell(cell) + " |";
    return out + "\n";
  };
  std::string out = line(table.header) + "|";
  for (std::size_t i = 0; i < table.header.size(); ++i) out += " --- |";
  out += '\n';
  for (const auto& row : table.rows) out += line(row);
  return out;
}

std::string to_text(const Table& table, std::string_view indent) {
  std::vector<std::size_t> widths;
  for (const std::string& cell : table.header) widths.push_back(width(cell));
  for (const auto& row : table.rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string out;
  const auto add = [&](const std::vector<std::string>& row) {
    std::string line(indent);
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - width(row[i]) + 2, ' ');
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  };
  add(table.header);
  for (const auto& row : table.rows) add(row);
  return out;
}

std::string csv_field(const std::string& text) {
  const bool formula = !text.empty() && std::string("=+-@\t\r").find(text[0]) != std::string::npos;
  const std::string safe = formula ? "'" + text : text;
  if (safe.find_first_of(",\"\n\r") == std::string::npos) return safe;
  std::string out = "\"";
  for (char c : safe) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string show_metric(const Metric& metric, bool sign) {
  if (!metric.low || !metric.high) return decimals(metric.value, std::abs(metric.value) < 10 ? 3 : 1, sign);
  const double half = (*metric.high - *metric.low) / 2;
  const int digits = half < 0.1 ? 3 : half < 1 ? 2 : 1;
  if (std::abs(*metric.high + *metric.low - 2 * metric.value) > 0.1 * half) {  // of a share near its end
    return fmt::format("{} ({:.{}f} to {:.{}f})", decimals(metric.value, digits, sign), *metric.low, digits,
                       *metric.high, digits);
  }
  return fmt::format("{} ± {:.{}f}", decimals(metric.value, digits, sign), half, digits);
}

std::string show_count(std::int64_t count) {
  std::string digits = std::to_string(count);
  const std::size_t first = count < 0 ? 1 : 0;
  for (std::size_t i = digits.size(); i > first + 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
}

std::string show_value(const Value& value) {
  switch (value.type()) {
    case Value::Type::real:
      return fmt::format("{:.4g}", value.as_double());
    case Value::Type::integer:
      return show_count(value.as_int());
    case Value::Type::string:
      return value.as_string();
    case Value::Type::map: {
      std::vector<std::string> entries;
      for (const auto& [key, entry] : value.as_map()) entries.push_back(key + " " + show_value(entry));
      return fmt::format("{}", fmt::join(entries, ", "));
    }
    case Value::Type::list: {
      std::vector<std::string> entries;
      for (const Value& entry : value.as_list()) entries.push_back(show_value(entry));
      return fmt::format("{}", fmt::join(entries, ", "));
    }
    default:
      return to_json(value);
  }
}

}  // namespace plumb
