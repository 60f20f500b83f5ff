// Lists of words in messages.
//
//   const std::string known = plumb::joined({"pairs", "preferences"});             // "pairs, preferences"
//   const std::string either = plumb::joined({"pairs", "preferences"}, " or ");    // "pairs or preferences"
//
// Thread contract: pure functions.
#pragma once

#include <string>
#include <vector>

namespace plumb {
inline namespace v1 {

// The words with ", " between them, and `last` before the last one.
std::string joined(const std::vector<std::string>& words, const std::string& last = ", ");

}  // namespace v1
}  // namespace plumb
