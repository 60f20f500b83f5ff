// Why a stage runs again: how what it is made from differs from what an earlier artifact was made from.
//
//   for (const std::string& line : differences(earlier, now, spec)) …   // "stages.pairs.policy.eta 0.85 -> 0.9"
//
// Thread contract: functions are [any].
#pragma once

#include <set>
#include <string>
#include <vector>

#include "framework/core/artifacts/artifact.h"
#include "framework/core/recipe/recipe.h"

namespace plumb {

std::vector<std::string> differences(const ArtifactManifest& earlier, const ArtifactManifest& now,
                                     const StageSpec& spec);

// The same of two trees of values, such as resolved recipes: "stages.pairs.policy.eta 0.85 -> 0.9".
std::vector<std::string> value_differences(const Value& before, const Value& after);

// Of `all` the one most like `now` among those of the same stage of the same recipe: made by it, or with a key in
// `used`, the keys that the recipe's last run had for this stage. Null: there is none.
const ArtifactManifest* most_similar(const std::vector<ArtifactManifest>& all, const ArtifactManifest& now,
                                     const StageSpec& spec, const std::set<std::string>& used = {});

}  // namespace plumb
