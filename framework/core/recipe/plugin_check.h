// What only the code of the plugins and this machine know of a recipe that is well formed: whether the plugins open,
// their rules between parameters, and whether the environment holds what they read from it.
//
//   LoadedRecipe loaded = load_recipe(request);                    // without problems
//   PluginCheck check = check_with_plugins(loaded, {.trusted = trusted});
//   sort_problems(check.problems);
//
// Plugins run in processes of their own (isolation/examination.h). Problems stand where the recipe chooses the
// component or the parameter that a rule names. A rule sees resolved parameters; of an input that a stage hands over it
// sees the name, since nothing is there yet. Thread contract: [setup].
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "framework/core/recipe/recipe.h"

namespace plumb {

struct PluginCheckOptions {
  // Stages that are looked at; none: all.
  std::function<bool(const StageSpec&)> wanted = {};
  // Whether a plugin's code may run; none: of every plugin.
  std::function<bool(const PluginCandidate&)> trusted = {};
};

struct PluginCheck {
  std::vector<Problem> problems;
  std::size_t plugin_faults = 0;                // of these problems, how many are of plugins and not of the recipe
  std::vector<std::filesystem::path> unopened;  // plugins that were not trusted
};

// Of all arms when the recipe has a sweep; what is wrong in some of them only is said to be theirs.
PluginCheck check_with_plugins(const LoadedRecipe& loaded, const PluginCheckOptions& options = {});

// Parameters that name an environment variable which is not set here (`needs({"environment:key_from"})`).
std::vector<Problem> check_environment(const LoadedRecipe& loaded,
                                       const std::function<bool(const StageSpec&)>& wanted = {});

}  // namespace plumb
