// The passes of check_recipe over one recipe. Each adds what is wrong and goes on, so that one reading finds
// everything.
//
//   Checking checking{source, registry, problems};
//   check_entries(checking);      // kinds and parameters of every entry
//   check_components(checking);   // chosen components, their parameters, paths
//   connect(checking);            // inputs, their types, cycles, order
//
// Thread contract: one thread.
#pragma once

#include <string>
#include <vector>

#include "framework/core/recipe/recipe.h"
#include "plumb/text.h"

namespace plumb {

struct Checking {
  const RecipeSource& source;
  const Registry& registry;
  std::vector<Problem>& problems;
  std::vector<StageSpec> stages = {};  // in the order of the file; `kind` is null where it is unknown

  void complain(Mark mark, std::string key, std::string message, std::string nearest = {});
  // Of a value within a stage: values that come from a default are complained of where the stage is named.
  void complain(const StageSpec& stage, Mark mark, const std::string& param, std::string message,
                std::string nearest = {});
  StageSpec* find(const std::string& name);
};

std::string dotted(const StageSpec& stage, const std::string& param);

void check_entries(Checking& checking);
void check_components(Checking& checking);
// The component `name` of a kind, or null after a complaint that lists those that exist.
const KnownComponent* require_component(Checking& checking, const StageSpec& stage, const std::string& kind,
                                        const Value& name, const std::string& param);
// The short name of a component where it is unique, so that the same choice has one spelling; else `given`.
std::string spelling(const Registry& registry, const std::string& kind, const KnownComponent& known,
                     const std::string& given);
// The component that a stage chooses under `param`; null when there is none.
const KnownComponent* component_of(const StageSpec& stage, const std::string& param);
// The component that a value {name: …} chooses, or null; complains of nothing.
const KnownComponent* find_chosen(const Checking& checking, const std::string& kind, const Value* chosen);
// Makes a path absolute; complains when nothing is there.
void check_path(Checking& checking, const StageSpec& stage, Value& path, const std::string& param);
// Of a model by path: what its folder lacks, and the components that read it.
void check_model_folder(Checking& checking, StageSpec& stage);
// The same of a folder that a component opens by itself, as its parameter `param`.
void check_opened_folder(Checking& checking, StageSpec& stage, const Value& path, const std::string& param);
// A JSON file of a model's folder; null when it is not there, too large, or no JSON.
Value read_small_json(const std::filesystem::path& file);
// Why a config.json cannot be a reward model's, or empty.
std::string no_reward_model(const Value& config);
// Chat formats, and rewards that can be none, of the models that stages and components name.
void check_model_references(Checking& checking);
// The tokenizer plugins that could read `folder`, as components of the stage under `param`; complains when none does.
void find_tokenizer(Checking& checking, StageSpec& stage, const std::filesystem::path& folder, Mark mark,
                    const std::string& param);
// The stage's input whose folder the framework gives the component as its parameter `path`; null when there is none.
const Value* handed_over(const StageSpec& stage, const ComponentUse& use, const std::string& param);
// The stage that an input of `stage` names; null when it is not given, or does not exist.
const StageSpec* input_of(Checking& checking, const StageSpec& stage, const std::string& param);
const ParamInfo* find_param(const StageSpec& stage, const std::string& name);
// Where a parameter stands, or an item of a list as "evaluators.1".
Mark mark_of(const StageSpec& stage, const std::string& param);
// Complains of devices that this machine does not have; where they may be absent, says the first in `absent` instead.
void check_devices(Checking& checking, std::string& absent);
void connect(Checking& checking);
void check_combinations(Checking& checking);
// Inputs before the stages that use them, otherwise in the given order; complains of every cycle.
void order_stages(Checking& checking);

}  // namespace plumb
