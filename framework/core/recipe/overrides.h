// --set KEY=VALUE: one value of the recipe's tree is replaced before anything is checked.
//
//   apply_override(root, "stages.pairs.policy.eta=0.9", 1, problems);   // also where the recipe says `policy:
//   reward-gap`
//
// VALUE is read as YAML. KEY is dotted, a number picks an item of a list. A key may be absent when its stage declares
// it, so defaults can be replaced; what does not exist is a problem with the nearest name. New values carry Mark{0,
// number}. Thread contract: one thread at a time on one tree.
#pragma once

#include <string>
#include <vector>

#include "framework/core/recipe/problem.h"
#include "plumb/params.h"
#include "plumb/value.h"

namespace plumb {

// The keys of a recipe itself.
const std::vector<ParamInfo>& recipe_params();

void apply_override(Value& root, const std::string& option, int number, std::vector<Problem>& problems);
std::string key_of_override(const std::string& option);

// The same for a value that stands in the recipe, in its sweep: it keeps its marks. `mark`: of the key. `shown`: the
// key that problems name.
void apply_value(Value& root, const std::string& key, Value value, Mark mark, const std::string& shown,
                 std::vector<Problem>& problems);

// No part of it is empty.
bool is_dotted_key(const std::string& key);

}  // namespace plumb
