// What a run was made of: its plugins with hashes and the content keys of its stages, as recipe.lock.yaml holds them.
//
//   write_file(folder / "recipe.lock.yaml", write_yaml(lock_of(recipe, plan, registry)));
//   for (const std::string& difference : lock_differences(read_lock(file).value(), lock_of(recipe, plan, registry))) …
//
// Thread contract: [any].
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "framework/core/pipeline/plan.h"

namespace plumb {

Value lock_of(const Recipe& recipe, const Plan& plan, const Registry& registry);

// Error(data) when the file cannot be read or is no lock.
Result<Value> read_lock(const std::filesystem::path& file);

// One sentence for each plugin and stage that is another one now, found first, wanted second; plugins come first, since
// a stage whose plugin changed has another key, too. Empty: the run would give what the locked one gave. Stages that
// only one of the two has are differences.
std::vector<std::string> lock_differences(const Value& wanted, const Value& now);

}  // namespace plumb
