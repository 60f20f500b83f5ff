#include "framework/core/kinds/optimizer_rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "plumb/description.h"

namespace plumb {
namespace {

// An optimizer learns from some types only.
void check_takes(Checking& c, const StageSpec& stage) {
  const KnownComponent* optimizer = component_of(stage, "optimizer");
  if (optimizer == nullptr || optimizer->info.takes.empty()) return;
  const auto& takes = optimizer->info.takes;
  for (const char* param : {"data", "eval"}) {
    const StageSpec* data = input_of(c, stage, param);
    if (data == nullptr || data->output.empty()) continue;
    const auto& accepts = find_param(stage, param)->accepts;
    if (std::find(accepts.begin(), accepts.end(), data->output) == accepts.end()) continue;  // complained of already
    // Plain text is learnt as an answer to nothing.
    const std::string type = data->output == artifact_type::texts ? artifact_type::demonstrations : data->output;
    if (std::find(takes.begin(), takes.end(), type) != takes.end()) continue;
    c.complain(stage, mark_of(stage, param), param,
               fmt::format("`{}` is of type {}, but the optimizer {} takes {}", data->name, data->output,
                           optimizer->info.name, joined(takes, " or ")));
  }
}

// A reward model and a policy are trained by optimizers of different sorts.
void check_yields(Checking& c, const StageSpec& stage) {
  const KnownComponent* optimizer = component_of(stage, "optimizer");
  const bool wanted = stage.output == artifact_type::reward_model;
  if (optimizer == nullptr || trains_rewards(optimizer->info) == wanted) return;
  const std::string& name = optimizer->info.name;
  std::vector<std::string> fit;
  for (const KnownComponent* other : c.registry.all("optimizer")) {
    if (trains_rewards(other->info)) fit.push_back(other->info.name);
  }
  c.complain(stage, mark_of(stage, "optimizer"), "optimizer",
             wanted ? fmt::format("{} trains no reward model; those that do: {}", name, joined(fit))
                    : fmt::format("{} trains reward models; the stage kind reward_model takes it", name));
}

// Keys of a stage that only optimizers read that ask for them, or make answers of their own.
void check_reads(Checking& c, const StageSpec& stage) {
  static const std::vector<std::pair<std::string, std::string>> asked = {{"reference", "reference"},
                                                                         {"reward_model", "reward-model"},
                                                                         {"reward", "reward-model"},
                                                                         {"value_model", "values"},
                                                                         {"rollout", ""}};
  const KnownComponent* optimizer = component_of(stage, "optimizer");
  if (optimizer == nullptr || optimizer->info.takes.empty()) return;
  const ComponentInfo& info = optimizer->info;
  const bool online = std::find(info.takes.begin(), info.takes.end(), artifact_type::prompts) != info.takes.end();
  for (const auto& [param, what] : asked) {
    const Value* value = stage.params.find(param);
    if (value == nullptr || value->is_null() || (what.empty() ? online : asks_for(info, what))) continue;
    c.complain(stage, value->mark, param,
               online || param == "reference"
                   ? fmt::format("has no effect: the optimizer {} does not ask for it", info.name)
                   : fmt::format("has no effect: the optimizer {} takes {} and makes no answers of its own", info.name,
                                 joined(info.takes, " or ")));
  }
}

// The threshold on rewards asks for data that have rewards.
void check_threshold(Checking& c, const StageSpec& stage) {
  const Value* threshold = stage.params.find("desirable_above");
  const StageSpec* data = input_of(c, stage, "data");
  if (threshold == nullptr || threshold->is_null() || data == nullptr || data->output.empty()) return;
  if (data->output == artifact_type::scored) return;
  c.complain(stage, threshold->mark, "desirable_above",
             fmt::format("has no effect: `{}` is of type {}; only scored answers are split by reward", data->name,
                         data->output));
}

}  // namespace

bool trains_rewards(const ComponentInfo& optimizer) {
  return std::find(optimizer.yields.begin(), optimizer.yields.end(), artifact_type::reward_model) !=
         optimizer.yields.end();
}

bool asks_for(const ComponentInfo& optimizer, const std::string& what) {
  return std::any_of(optimizer.needs.begin(), optimizer.needs.end(),
                     [&](const std::string& need) { return parse_need(need).what == what; });
}

void check_optimizer(Checking& checking, const StageSpec& stage) {
  check_takes(checking, stage);
  check_yields(checking, stage);
}

void check_alignment(Checking& checking, const StageSpec& stage) {
  check_optimizer(checking, stage);
  check_reads(checking, stage);
  check_threshold(checking, stage);
}

}  // namespace plumb
