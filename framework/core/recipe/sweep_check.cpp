// Checking the arms of a sweep, and loading a recipe with or without one.
#include <fmt/format.h>

#include <algorithm>

#include "framework/core/recipe/checking.h"
#include "framework/core/recipe/sweep.h"

namespace plumb {
namespace {

void check_until(const Sweep& sweep, const RecipeSource& source, std::vector<Problem>& problems) {
  if (sweep.arms.empty()) return;
  std::vector<std::string> names;
  for (const StageSpec& stage : sweep.arms.front().recipe.stages) names.push_back(stage.name);
  const Value& until = source.root.at("sweep").find("until") == nullptr ? Value() : source.root.at("sweep").at("until");
  if (!until.is_list()) return;
  for (std::size_t i = 0; i < until.as_list().size(); ++i) {
    const Value& name = until.as_list()[i];
    if (std::find(names.begin(), names.end(), name.as_string()) != names.end()) continue;
    problems.push_back({name.mark, fmt::format("sweep.until.{}", i),
                        fmt::format("the recipe has no stage `{}`; there are: {}", name.as_string(), joined(names)),
                        nearest_name(name.as_string(), names)});
  }
}

// Keeps the arm that was asked for.
void choose(Sweep& sweep, const std::string& wanted, std::vector<Problem>& problems) {
  std::vector<std::string> names;
  for (const Arm& arm : sweep.arms) names.push_back(arm.name);
  std::erase_if(sweep.arms, [&](const Arm& arm) { return arm.name != wanted; });
  if (!sweep.arms.empty() || names.empty()) return;
  problems.push_back(
      {{}, "--arm " + wanted, "the sweep has no such arm; there are: " + joined(names), nearest_name(wanted, names)});
}

}  // namespace

void ArmProblems::add(const std::string& arm, Problem problem) {
  const auto known = std::find_if(found_.begin(), found_.end(), [&](const Found& f) { return f.problem == problem; });
  if (known == found_.end()) {
    found_.push_back({std::move(problem), {arm}});
  } else if (known->arms.back() != arm) {
    known->arms.push_back(arm);
  }
}

void ArmProblems::move_to(std::vector<Problem>& problems) {
  for (Found& f : found_) {
    if (f.arms.size() == 1 && arms_ > 1) {
      f.problem.message += fmt::format(" (in the arm {})", f.arms[0]);
    } else if (f.arms.size() < arms_) {
      f.problem.message += fmt::format(" (in {} of {} arms, {} the first)", f.arms.size(), arms_, f.arms[0]);
    }
    problems.push_back(std::move(f.problem));
  }
  found_.clear();
  sort_problems(problems);
}

void check_arms(Sweep& sweep, const RecipeSource& source, const Registry& registry, std::vector<Problem>& problems) {
  ArmProblems found(sweep.arms.size());
  RecipeSource own = source;
  for (Arm& arm : sweep.arms) {
    std::vector<Problem> of_arm;
    own.root = tree_of(source, arm, of_arm);
    own.problems = source.problems;
    arm.recipe = check_recipe(own, registry, of_arm);
    arm.recipe.arm = arm.name;
    sort_problems(of_arm);
    for (Problem& problem : of_arm) {
      if (std::find(source.problems.begin(), source.problems.end(), problem) != source.problems.end()) continue;
      found.add(arm.name, std::move(problem));
    }
  }
  if (found.empty()) check_until(sweep, source, problems);
  found.move_to(problems);
}

LoadedRecipe load_recipe(const RecipeRequest& request) {
  RecipeSource source = read_recipe(request);
  PluginSearch search = PluginSearch::standard();
  for (const auto& file : request.plugins) search.files.push_back(std::filesystem::absolute(file).lexically_normal());
  for (const auto& file : source.plugins) search.files.push_back(file);
  LoadedRecipe loaded{std::move(source), Registry::scan(search), {}, {}, {}};
  std::vector<Problem>& problems = loaded.problems;
  // What is asked for by name must be usable; of plugins that merely lie in a folder `plumb plugins list` tells.
  for (std::size_t i = 0; i < request.plugins.size(); ++i) {
    for (const PluginCandidate& candidate : loaded.registry.candidates()) {
      if (candidate.file != search.files[i] || candidate.refused.empty()) continue;
      problems.push_back(
          {{}, "--plugin " + request.plugins[i].string(), "the plugin is refused: " + candidate.refused, {}});
    }
  }
  std::optional<Sweep> sweep = read_sweep(loaded.source, problems);
  if (!sweep) {
    loaded.recipe = check_recipe(loaded.source, loaded.registry, problems);
    if (!request.arm.empty()) problems.push_back({{}, "--arm " + request.arm, "the recipe has no sweep", {}});
    return loaded;
  }
  if (sweep->arms.empty()) {  // with the sweep itself something is wrong; the rest of the recipe may be, too
    loaded.recipe = check_recipe(loaded.source, loaded.registry, problems);
    return loaded;
  }
  if (!request.arm.empty()) choose(*sweep, request.arm, problems);
  problems.insert(problems.end(), loaded.source.problems.begin(), loaded.source.problems.end());
  check_arms(*sweep, loaded.source, loaded.registry, problems);
  sort_problems(problems);
  if (request.arm.empty()) {
    if (!sweep->arms.empty()) {
      loaded.recipe = sweep->arms.front().recipe;
      loaded.recipe.arm.clear();
      loaded.recipe.stages.clear();
    }
    loaded.sweep = std::move(sweep);
  } else if (!sweep->arms.empty()) {
    loaded.recipe = std::move(sweep->arms.front().recipe);
    loaded.until = sweep->until;
  }
  return loaded;
}

}  // namespace plumb
