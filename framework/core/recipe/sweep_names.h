// What the arms of a sweep are called: folders, rows of tables and values of --arm.
//
//   short_names({"stages.pairs.policy.eta", "stages.aligned.lora.r"});   // "eta", "r"
//   spelled(Value(0.85), 0);                                             // "0.85"
//
// Thread contract: functions of their arguments; [any].
#pragma once

#include <string>
#include <vector>

#include "plumb/value.h"

namespace plumb {

bool is_arm_name(const std::string& s);
// A value as a part of a name: numbers as they are, components by their names, others by their place in the axis.
std::string spelled(const Value& value, std::size_t index);
// The shortest ends of the keys that tell them apart: "eta", or "pairs.eta" beside "others.eta".
std::vector<std::string> short_names(const std::vector<std::string>& keys);

}  // namespace plumb
