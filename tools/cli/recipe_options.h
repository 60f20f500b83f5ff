// The arguments that every verb with a recipe takes: RECIPE [--set KEY=VALUE]… [--plugin FILE]….
//
//   add_recipe_options(options);
//   const LoadedRecipe loaded = load_recipe(recipe_request(*given));
//   if (const int status = report_problems(loaded, json); status != 0) return status;
//
// Thread contract: as a verb.
#pragma once

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/variables_map.hpp>

#include "framework/recipe/recipe.h"

namespace plumb::cli {

inline constexpr const char* kRecipeArguments = "RECIPE [--set KEY=VALUE]... [--plugin FILE]... [--arm ARM]";

void add_recipe_options(boost::program_options::options_description& options);
// --without-files
void add_absence_option(boost::program_options::options_description& options);
void add_arm_option(boost::program_options::options_description& options);
RecipeRequest recipe_request(const boost::program_options::variables_map& given);

// Prints what is wrong: as text on standard error, or with `json` {"valid": false, "problems": […]} on standard output.
// The exit status: 2, or 0 when nothing is wrong and nothing was printed.
int report_problems(const LoadedRecipe& loaded, bool json);

}  // namespace plumb::cli
