// The first characters of a judge's text, in quotes, for a message that says why it could not be read.
//
//   judgement.failure = "no rating: " + evaluators::beginning(judgement.text);
//
// Thread contract: [any].
#pragma once

#include <cstddef>
#include <string>

namespace evaluators {

inline std::string beginning(const std::string& text) {
  constexpr std::size_t longest = 80;  // bytes
  if (text.size() <= longest) return '"' + text + '"';
  std::size_t end = longest;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) --end;  // whole characters
  return '"' + text.substr(0, end) + "…\"";
}

}  // namespace evaluators
