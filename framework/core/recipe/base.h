// A recipe that changes another: `base: ../quickstart.yaml` at its top.
//
//   name: table-3
//   base: ../quickstart.yaml
//   stages:
//     pairs: {policy: {tau: 0.8}}     # one value of the base's stage; the rest stays
//     report: null                    # without that stage
//
// Maps are merged key by key, everything else replaces what the base has, and null removes it. A component, stage or
// other map that names itself anew (`name:`, `stage:`) replaces the base's as a whole, since the parameters of one say
// nothing to another; a component given by its name alone in the base takes parameters. The base's own `name` is not
// taken over. A base may have a base. Paths stay relative to the file that they stand in.
// Thread contract: functions are [any].
#pragma once

#include <filesystem>
#include <vector>

#include "framework/core/recipe/problem.h"

namespace plumb {

inline constexpr std::size_t kBases = 8;

// The tree of a file and of those it is based on, merged. `text.file` is the file as the user wrote it; the texts and
// bases are filled in, and all marks are counted through them. Null when nothing could be read.
Value read_tree(const std::filesystem::path& file, RecipeText& text, std::vector<Problem>& problems);

// `base` as `own` changes it.
Value merged(Value base, const Value& own);

}  // namespace plumb
