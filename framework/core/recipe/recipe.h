// From a recipe's text to a checked graph of stages.
//
//   LoadedRecipe loaded = load_recipe({.file = "recipe.yaml", .overrides = {"stages.pairs.policy.eta=0.9"}});
//   if (!loaded.problems.empty()) { std::cerr << show_problems(loaded.problems, loaded.source.text); return 2; }
//   for (const StageSpec& stage : loaded.recipe.stages) …      // inputs stand before the stages that use them
//
// A recipe may be based on another: `base: ../quickstart.yaml` (recipe/base.h), and may hold a sweep (recipe/sweep.h).
// Checking runs no plugin code: components are known from the schema files beside their libraries.
// Thread contract: load_recipe is [setup]; a loaded recipe may be read from any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "framework/core/catalogue/stage.h"
#include "framework/core/recipe/problem.h"
#include "framework/core/registry/registry.h"
#include "plumb/value.h"

namespace plumb {

struct StageInput {
  std::string param;  // "model"; of a list of inputs with the name, as "models/sft"
  std::string stage;  // the name of the stage, dataset or model
};

struct ComponentUse {
  std::string param;  // dotted within the stage: "policy", "evaluators.0", "path" (the model's own components)
  const KnownComponent* component;  // borrowed from the registry
};

struct StageSpec {
  std::string name;
  std::string section;                              // "datasets", "models" or "stages"
  const StageKind* kind;                            // `dataset` and `model` in the first two sections
  std::shared_ptr<const StageKind> of_plugin = {};  // owns `kind` where a plugin provides it
  Mark mark;                                        // of its name
  // Complete: defaults filled in, components as {name: …, their parameters…}, paths absolute.
  Value params;
  std::string output;  // artifact type
  std::vector<StageInput> inputs;
  std::vector<ComponentUse> components;
};

struct Recipe {
  std::filesystem::path file;
  std::string name;
  std::string arm;  // of the recipe's sweep; empty: none
  std::uint64_t seed = 1;
  bool files_may_be_absent = false;            // it was checked without them; it can be planned, not run
  std::string absent_device;                   // where devices may be absent: one that is, and what it lacks
  std::vector<std::filesystem::path> plugins;  // absolute
  std::vector<StageSpec> stages;               // inputs first, otherwise in the order of the file

  [[nodiscard]] const StageSpec* find(const std::string& name) const;
};

struct RecipeRequest {
  std::filesystem::path file;
  std::vector<std::string> overrides = {};          // --set: "stages.pairs.policy.eta=0.9"
  std::vector<std::filesystem::path> plugins = {};  // --plugin
  std::string arm = {};                             // --arm: one arm of the recipe's sweep; empty: all
  bool files_may_be_absent = false;                 // --without-files: weights and data that are not there yet
  bool devices_may_be_absent = false;               // it is for another machine, and cannot run here
};

// One cell of a sweep: the recipe with some values replaced.
struct Arm {
  std::string name;                   // "eta=0.85,seed=2"
  std::string row;                    // the same without the seed: arms of a row differ in nothing else
  std::optional<std::uint64_t> seed;  // of `seeds`
  struct Choice {
    std::string key, shown;  // "stages.pairs.policy.eta"; "sweep.grid.stages.pairs.policy.eta"
    Mark mark;               // of the key
    Value value;
  };
  std::vector<Choice> choices;  // in the order in which they are applied
  Recipe recipe;
};

// `sweep:` of a recipe (recipe/sweep.h says what it holds).
struct Sweep {
  std::vector<Arm> arms;           // the first seed's first, in the order of the file
  std::vector<std::string> until;  // stages each arm runs to; empty: all
  std::string baseline;            // the row that others are compared with; empty: none
  Value published;                 // {source, rows: {ROW: {MEASURE: number}}} for reports; or null
};

// A recipe's tree, merged with what it is based on and after --set, before anything is known of plugins.
struct RecipeSource {
  RecipeText text;
  std::filesystem::path file;  // absolute
  Value root;
  std::vector<std::filesystem::path> plugins;  // of `plugins:`, absolute
  std::vector<Problem> problems;
  bool files_may_be_absent = false;
  bool devices_may_be_absent = false;

  // What paths are relative to: where the file lies that a value stands in; of --set options that of the recipe.
  [[nodiscard]] std::filesystem::path folder(Mark mark) const;
};

struct LoadedRecipe {
  RecipeSource source;
  Registry registry;                    // stages point into it
  Recipe recipe;                        // complete when there are no problems; with a sweep it has no stages
  std::optional<Sweep> sweep;           // when the recipe has one and no arm was asked for
  std::vector<Problem> problems;        // sorted
  std::vector<std::string> until = {};  // of the arm that was asked for: the sweep's `until`
};

// Never throws for what is wrong with the recipe; a file that cannot be read is a problem too.
RecipeSource read_recipe(const RecipeRequest& request);
Recipe check_recipe(const RecipeSource& source, const Registry& registry, std::vector<Problem>& problems);
// The two, with a registry of the standard search path, --plugin and the recipe's own plugins.
LoadedRecipe load_recipe(const RecipeRequest& request);

// The resolved recipe as YAML: every default written out, paths absolute. Loading it gives the same stages.
std::string write_recipe(const Recipe& recipe);

}  // namespace plumb
