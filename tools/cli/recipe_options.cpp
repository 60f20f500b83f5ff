#include "tools/cli/recipe_options.h"

#include <iostream>

namespace po = boost::program_options;

namespace plumb::cli {

using Texts = std::vector<std::string>;

void add_recipe_options(po::options_description& options) {
  options.add_options()("recipe", po::value<std::string>()->required(), "the recipe, a YAML file")(
      "set", po::value<Texts>()->composing()->value_name("KEY=VALUE"),
      "replace a value, such as seed=3 or stages.pairs.policy.eta=0.9")(
      "plugin", po::value<Texts>()->composing()->value_name("FILE"), "a plugin file beside the installed ones");
}

void add_absence_option(po::options_description& options) {
  options.add_options()("without-files", "weights and data that the recipe names need not be there yet");
}

void add_arm_option(po::options_description& options) {
  options.add_options()("arm", po::value<std::string>()->value_name("ARM"),
                        "one arm of the recipe's sweep, such as eta=0.85,seed=2");
}

RecipeRequest recipe_request(const po::variables_map& given) {
  RecipeRequest request;
  request.file = given["recipe"].as<std::string>();
  if (given.count("set") != 0) request.overrides = given["set"].as<Texts>();
  if (given.count("plugin") != 0) {
    for (const std::string& file : given["plugin"].as<Texts>()) request.plugins.emplace_back(file);
  }
  if (given.count("arm") != 0) request.arm = given["arm"].as<std::string>();
  request.files_may_be_absent = given.count("without-files") != 0;
  return request;
}

int report_problems(const LoadedRecipe& loaded, bool json) {
  if (loaded.problems.empty()) return 0;
  if (json) {
    std::cout << to_json(Value::map(
                             {{"valid", false}, {"problems", describe_problems(loaded.problems, loaded.source.text)}}),
                         false, 2)
              << "\n";
  } else {
    std::cerr << show_problems(loaded.problems, loaded.source.text);
  }
  return static_cast<int>(ErrorCode::recipe);
}

}  // namespace plumb::cli
