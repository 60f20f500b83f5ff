// Values by dotted name, as --set and problems write them.
//
//   const Value* eta = find_dotted(stage.params, "policy.eta");
//   const Value* second = find_dotted(stage.params, "evaluators.1");     // items of lists are counted from 0
//
// Thread contract: functions of their arguments.
#pragma once

#include <string_view>

#include "plumb/value.h"

namespace plumb {

// Null when there is nothing of that name. The empty name is the tree itself.
Value* find_dotted(Value& tree, std::string_view name);
const Value* find_dotted(const Value& tree, std::string_view name);
// Takes a key out of its map; nothing happens when it is not there.
void erase_dotted(Value& tree, std::string_view name);

}  // namespace plumb
