#include "tools/cli/recipe_options.h"
#include "framework/core/telemetry/output.h"

#include <algorithm>
#include <iostream>
#include <set>

#include "framework/core/recipe/plugin_check.h"
#include "tools/cli/run_guards.h"

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
  options.add_options()("without-files", "weights, data and devices that the recipe names need not be there");
}

void add_arm_option(po::options_description& options) {
  options.add_options()("arm", po::value<std::string>()->value_name("ARM"),
                        "one arm of the recipe's sweep, such as eta=0.85,seed=2");
}

void add_code_option(po::options_description& options) {
  options.add_options()("no-code", "open no plugins: their own rules between parameters are not checked");
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

void say_absent_device(const LoadedRecipe& loaded) {
  std::string absent = loaded.recipe.absent_device;
  if (loaded.sweep) {
    for (const Arm& arm : loaded.sweep->arms) absent = absent.empty() ? arm.recipe.absent_device : absent;
  }
  if (!absent.empty()) std::cerr << "note: " << absent << "; the recipe was checked for another machine\n";
}

int report_problems(const LoadedRecipe& loaded, bool json) {
  if (loaded.problems.empty()) return 0;
  if (json) {
    unfiltered_output() << to_json(Value::map({{"valid", false},
                                               {"problems", describe_problems(loaded.problems, loaded.source.text)}}),
                                   false, 2)
                        << "\n";
  } else {
    std::cerr << show_problems(loaded.problems, loaded.source.text);
  }
  return static_cast<int>(ErrorCode::recipe);
}

int report_plugin_problems(LoadedRecipe& loaded, bool json, const CodeCheck& check) {
  std::set<const StageSpec*> running;
  for (const Plan* plan : check.plans) {
    for (const PlannedStage& stage : plan->stages) {
      if (stage.state == StageState::run) running.insert(stage.spec);
    }
  }
  const auto wanted = [&](const StageSpec& stage) { return check.plans.empty() || running.count(&stage) != 0; };
  PluginCheck found = check_with_plugins(loaded, {.wanted = wanted, .trusted = [&](const PluginCandidate& plugin) {
                                                    return check.trust || is_trusted(loaded, plugin.file);
                                                  }});
  for (const auto& file : found.unopened) {
    std::cerr << "note: " << file.string()
              << " was not opened, because it lies neither beside the recipe nor in a folder that plugins are searched "
                 "in; its own rules are not checked\n";
  }
  std::vector<Problem> missing = check_environment(loaded, wanted);
  if (!check.to_run) {
    for (const Problem& problem : missing) {
      std::cerr << "note: " << show_problem(problem, loaded.source.text) << " before `plumb run`\n";
    }
    missing.clear();
  }
  loaded.problems.insert(loaded.problems.end(), found.problems.begin(), found.problems.end());
  loaded.problems.insert(loaded.problems.end(), missing.begin(), missing.end());
  sort_problems(loaded.problems);
  const int status = report_problems(loaded, json);
  return status != 0 && found.plugin_faults == loaded.problems.size() ? static_cast<int>(ErrorCode::plugin) : status;
}

}  // namespace plumb::cli
