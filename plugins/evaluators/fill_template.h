// Judge prompts are texts with {names} in them.
//
//   fill_template("Rate {answer}", {{"answer", text}})
//
// Other braces stay as they are, and what is filled in is not searched again: an answer that says {reference} shows
// that.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace evaluators {

inline std::string fill_template(std::string_view text, const std::map<std::string, std::string, std::less<>>& values) {
  std::string filled;
  std::size_t from = 0;
  for (std::size_t open = text.find('{'); open != std::string_view::npos; open = text.find('{', open + 1)) {
    const std::size_t close = text.find('}', open);
    if (close == std::string_view::npos) break;
    const auto value = values.find(text.substr(open + 1, close - open - 1));
    if (value == values.end()) continue;
    filled.append(text.substr(from, open - from)).append(value->second);
    from = close + 1;
    open = close;
  }
  return filled.append(text.substr(from));
}

}  // namespace evaluators
