// What changed between two versions of a plugin's description that a recipe may rely on.
//
//   schema_breaks(old, now)   // {"selection-policy best: above: range narrowed: upper limit was <= 10, is <= 5"}
//
// Thread contract: pure functions.
#pragma once

#include <string>
#include <vector>

#include "plumb/registrar.h"

namespace plumb::check {

class Context;

// One text for each thing that is removed, narrowed, newly wanted, or means something else; empty: none.
std::vector<std::string> schema_breaks(const std::vector<ComponentInfo>& before,
                                       const std::vector<ComponentInfo>& after);

void schema_compatible(Context& c);  // a test of the whole file

}  // namespace plumb::check
