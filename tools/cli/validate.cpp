// `plumb validate RECIPE`: everything that is wrong with a recipe, before anything runs.
#include <unistd.h>

#include <iostream>

#include "framework/core/recipe/recipe.h"
#include "framework/core/telemetry/output.h"
#include "tools/cli/recipe_options.h"
#include "tools/cli/verb.h"

namespace po = boost::program_options;

namespace plumb::cli {
namespace {

Value names_of_arms(const Sweep& sweep) {
  Value::List names;
  for (const Arm& arm : sweep.arms) names.emplace_back(arm.name);
  return names;
}

}  // namespace

int run_validate(int argc, char** argv) {
  po::options_description options("Options");
  add_recipe_options(options);
  add_arm_option(options);
  add_absence_option(options);
  add_code_option(options);
  options.add_options()("json", "print JSON")("resolved", "print the recipe with every default written out");
  const std::string arguments = std::string(kRecipeArguments) + " [--without-files] [--no-code] [--json | --resolved]";
  const auto given =
      parse_verb(argc, argv,
                 {arguments.c_str(),
                  "Checks keys, types, ranges, components, inputs and files of a recipe, and prints all that is wrong\n"
                  "at once. Then opens its plugins, in a process of their own, for the rules that only they know.\n"
                  "Loads no model; with --no-code it runs no plugin code."},
                 options, {"recipe"});
  if (!given) return 0;
  const bool json = given->count("json") != 0;
  LoadedRecipe loaded = load_recipe(recipe_request(*given));
  if (const int status = report_problems(loaded, json); status != 0) return status;
  if (given->count("no-code") == 0) {
    if (const int status = report_plugin_problems(loaded, json); status != 0) return status;
  }
  say_absent_device(loaded);
  const std::size_t arms = loaded.sweep ? loaded.sweep->arms.size() : 0;
  const auto stages = static_cast<std::int64_t>(arms > 0 ? loaded.sweep->arms.front().recipe.stages.size()
                                                         : loaded.recipe.stages.size());
  if (json) {
    Value out = Value::map({{"valid", true}, {"stages", stages}});
    if (arms > 0) out.set("arms", names_of_arms(*loaded.sweep));
    unfiltered_output() << to_json(out, false, 2) << "\n";
  } else if (arms > 0 && given->count("resolved") != 0) {
    throw Error(ErrorCode::recipe, "the recipe has a sweep; say which of its arms to print with --arm, such as --arm " +
                                       loaded.sweep->arms.front().name);
  } else if (arms > 0) {
    std::cout << "valid: " << arms << (arms == 1 ? " arm of " : " arms of ") << stages << " stages\n";
  } else if (given->count("resolved") != 0) {
    (::isatty(STDOUT_FILENO) != 0 ? std::cout : unfiltered_output()) << write_recipe(loaded.recipe);
  } else {
    std::cout << "valid: " << stages << (stages == 1 ? " stage" : " stages") << "\n";
  }
  return 0;
}

}  // namespace plumb::cli
