// `plumb validate RECIPE`: everything that is wrong with a recipe, before anything runs.
#include <iostream>

#include "framework/recipe/recipe.h"
#include "tools/cli/recipe_options.h"
#include "tools/cli/verb.h"

namespace po = boost::program_options;

namespace plumb::cli {

int run_validate(int argc, char** argv) {
  po::options_description options("Options");
  add_recipe_options(options);
  options.add_options()("json", "print JSON")("resolved", "print the recipe with every default written out");
  const std::string arguments = std::string(kRecipeArguments) + " [--json | --resolved]";
  const auto given =
      parse_verb(argc, argv,
                 {arguments.c_str(),
                  "Checks keys, types, ranges, components, inputs and files of a recipe, and prints all that is wrong\n"
                  "at once. Loads no model and runs no plugin code."},
                 options, {"recipe"});
  if (!given) return 0;
  const bool json = given->count("json") != 0;
  const LoadedRecipe loaded = load_recipe(recipe_request(*given));
  if (const int status = report_problems(loaded, json); status != 0) return status;
  const auto stages = static_cast<std::int64_t>(loaded.recipe.stages.size());
  if (json) {
    std::cout << to_json(Value::map({{"valid", true}, {"stages", stages}}), false, 2) << "\n";
  } else if (given->count("resolved") != 0) {
    std::cout << write_recipe(loaded.recipe);
  } else {
    std::cout << "valid: " << stages << (stages == 1 ? " stage" : " stages") << "\n";
  }
  return 0;
}

}  // namespace plumb::cli
