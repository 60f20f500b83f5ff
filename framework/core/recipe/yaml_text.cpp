#include "framework/core/recipe/yaml_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "plumb/utf8.h"

namespace plumb {
YamlText::YamlText(std::string_view bytes) {
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  readable_ = bytes;
  lines_.push_back(0);
  for (std::size_t i = 0; i < readable_.size(); ++i) {
    if (readable_[i] == '\n') lines_.push_back(i + 1);
  }
  scan();
}

void YamlText::scan() {
  std::size_t indenting_tabs = 0;
  bool indentation = true;  // nothing but blanks since the line began
  for (std::size_t i = 0; i < readable_.size();) {
    const Character next = first_character(std::string_view(readable_).substr(i));
    const auto code = static_cast<std::uint32_t>(next.code);
    const bool line_end = code == '\r' && readable_.compare(i, 2, "\r\n") == 0;
    if (!next.valid) {
      problems_.push_back(
          {mark_of(i), {}, fmt::format("byte 0x{:02X} is not UTF-8", static_cast<unsigned char>(readable_[i])), {}});
      can_be_parsed_ = false;
      return;
    }
    if (code == '\t') {
      if (!indentation) {
        problems_.push_back({mark_of(i), {}, "tab; write blanks, or \\t in double quotes", {}});
      } else if (++indenting_tabs == 1) {
        problems_.push_back({mark_of(i), {}, "tab in the indentation; indent with blanks", {}});
      }
      readable_[i] = ' ';
    } else if ((code < 0x20 && code != '\n' && !line_end) || (code >= 0x7F && code < 0xA0) || code == 0xFEFF) {
      problems_.push_back({mark_of(i), {}, fmt::format("control character U+{:04X}", code), {}});
      can_be_parsed_ = false;
      return;
    }
    indentation = code == '\n' || (indentation && (code == ' ' || code == '\t'));
    i += next.size;
  }
  if (indenting_tabs > 0) can_be_parsed_ = false;
}

Mark YamlText::mark_of(std::size_t byte) const {
  const auto next = std::upper_bound(lines_.begin(), lines_.end(), byte);
  const std::size_t start = *std::prev(next);
  const auto column = std::count_if(readable_.begin() + static_cast<std::ptrdiff_t>(start),
                                    readable_.begin() + static_cast<std::ptrdiff_t>(std::min(byte, readable_.size())),
                                    [](char c) { return !continues_character(c); });
  return {static_cast<int>(next - lines_.begin()), static_cast<int>(column) + 1};
}

Mark YamlText::mark(const YAML::Mark& mark) const {
  if (mark.pos < 0) return {1, 1};
  return mark_of(static_cast<std::size_t>(mark.pos));
}

char YamlText::at(int byte) const {
  const auto i = static_cast<std::size_t>(byte);
  return byte >= 0 && i < readable_.size() ? readable_[i] : '\0';
}

// The byte after the closing quote; beyond the end when there is none.
std::size_t YamlText::after_quotes(std::size_t byte) const {
  const char quote = readable_[byte];
  for (std::size_t i = byte + 1; i < readable_.size(); ++i) {
    const bool escaped = quote == '"' ? readable_[i] == '\\' : readable_.compare(i, 2, "''") == 0;
    if (escaped) {
      ++i;
    } else if (readable_[i] == quote) {
      return i + 1;
    }
  }
  return readable_.size() + 1;
}

Mark YamlText::lone_word_above(int line) const {
  if (line < 2 || static_cast<std::size_t>(line) > lines_.size()) return {};
  const std::size_t start = lines_[static_cast<std::size_t>(line) - 2],
                    end = lines_[static_cast<std::size_t>(line) - 1];
  std::string_view words = std::string_view(readable_).substr(start, end - start);
  words = words.substr(0, words.find_last_not_of(" \r\n") + 1);
  const std::size_t indent = std::min(words.find_first_not_of(' '), words.size());
  words.remove_prefix(indent);
  const auto in_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  const bool lone = !words.empty() && words[0] != '-' && std::all_of(words.begin(), words.end(), in_word);
  return lone ? Mark{line - 1, static_cast<int>(indent) + 1} : Mark{};
}

bool YamlText::quotes_close(int byte) const {
  const char quote = at(byte);
  return (quote != '"' && quote != '\'') || after_quotes(static_cast<std::size_t>(byte)) <= readable_.size();
}

bool YamlText::colon_follows(int byte, std::size_t size) const {
  auto i = static_cast<std::size_t>(std::max(byte, 0));
  const char quote = at(byte);
  i = quote == '"' || quote == '\'' ? after_quotes(i) : i + size;
  while (i < readable_.size() && readable_[i] == ' ') ++i;
  return i < readable_.size() && readable_[i] == ':';
}

}  // namespace plumb
