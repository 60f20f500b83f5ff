// The first characters of a judge's text, in quotes, for a message that says why it could not be read.
//
//   judgement.failure = "no rating: " + evaluators::beginning(judgement.text);
//
// Thread contract: [any].
#pragma once

#include <plumb/utf8.h>

#include <cstddef>
#include <string>

namespace evaluators {

inline std::string beginning(const std::string& text) {
  constexpr std::size_t longest = 80;  // bytes
  if (text.size() <= longest) return '"' + text + '"';
  return '"' + std::string(plumb::first_bytes(text, longest)) + "…\"";
}

}  // namespace evaluators
