// The arguments that every verb with a recipe takes: RECIPE [--set KEY=VALUE]… [--plugin FILE]….
//
//   add_recipe_options(options);
//   const LoadedRecipe loaded = load_recipe(recipe_request(*given));
//   if (const int status = report_problems(loaded, json); status != 0) return status;
//   if (const int status = report_plugin_problems(loaded, json, {plans}); status != 0) return status;
//
// Thread contract: as a verb.
#pragma once

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/variables_map.hpp>

#include "framework/core/pipeline/plan.h"
#include "framework/core/recipe/recipe.h"

namespace plumb::cli {

inline constexpr const char* kRecipeArguments = "RECIPE [--set KEY=VALUE]... [--plugin FILE]... [--arm ARM]";

void add_recipe_options(boost::program_options::options_description& options);
// --without-files
void add_absence_option(boost::program_options::options_description& options);
void add_arm_option(boost::program_options::options_description& options);
// --no-code
void add_code_option(boost::program_options::options_description& options);
RecipeRequest recipe_request(const boost::program_options::variables_map& given);

// On standard error, when the recipe names a device that may be absent and is: that it was checked for another machine.
void say_absent_device(const LoadedRecipe& loaded);

// Prints what is wrong: as text on standard error, or with `json` {"valid": false, "problems": […]} on standard output.
// The exit status: 2, or 0 when nothing is wrong and nothing was printed.
int report_problems(const LoadedRecipe& loaded, bool json);

// What a verb asks the code of plugins, before any stage runs.
struct CodeCheck {
  std::vector<const Plan*> plans = {};  // stages that they run are looked at; empty: all stages
  bool trust = false;                   // --trust
  bool to_run = false;                  // what the environment lacks is wrong, not only worth a note
};

// Opens the recipe's plugins in a process of their own and lets them check their parameters (recipe/plugin_check.h);
// prints what is wrong as report_problems does, and notes on standard error. The exit status: 0, 2, or 5 when a plugin
// itself is at fault and nothing is wrong with the recipe.
int report_plugin_problems(LoadedRecipe& loaded, bool json, const CodeCheck& check = {});

}  // namespace plumb::cli
