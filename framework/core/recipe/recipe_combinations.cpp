// What each value allows alone and the recipe as a whole does not.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "framework/core/components/plugin_stage.h"
#include "framework/core/data/chat_format.h"
#include "framework/core/recipe/checking.h"
#include "plumb/description.h"

namespace plumb {
namespace {

// Whether the prompts behind a stage come with the dataset's own preference.
bool has_annotations(Checking& c, const StageSpec& stage, std::set<std::string>& seen) {
  if (!seen.insert(stage.name).second) return false;
  if (stage.output == artifact_type::preferences || stage.output.empty()) return true;
  for (const char* param : {"scored", "responses", "prompts"}) {
    const StageSpec* input = input_of(c, stage, param);
    if (input != nullptr) return has_annotations(c, *input, seen);
  }
  return false;
}

// Whether `judge` gives any of what stands between the `|` of `wanted`. Unknown of one that does not say what it gives.
bool gives(const ComponentInfo& judge, const std::string& wanted) {
  if (judge.yields.empty() || wanted.empty()) return true;
  const std::string all = "|" + wanted + "|";
  return std::any_of(judge.yields.begin(), judge.yields.end(),
                     [&](const std::string& word) { return all.find("|" + word + "|") != std::string::npos; });
}

// An evaluator that reads scores is of no use with a judge that writes texts only, and the other way round.
void check_judge(Checking& c, const StageSpec& stage, const ComponentUse& evaluator, const std::string& wanted) {
  for (const ComponentUse& use : stage.components) {
    if (use.param != "judge" || gives(use.component->info, wanted)) continue;
    std::vector<std::string> fit;
    for (const KnownComponent* judge : c.registry.all("judge")) {
      if (!judge->info.yields.empty() && gives(judge->info, wanted)) fit.push_back(judge->info.name);
    }
    std::sort(fit.begin(), fit.end());
    std::string what = wanted;
    for (auto at = what.find('|'); at != std::string::npos; at = what.find('|')) what.replace(at, 1, " or ");
    c.complain(stage, mark_of(stage, evaluator.param), evaluator.param,
               fmt::format("{} needs a judge that gives a {}, and {} gives {}; those that do: {}",
                           evaluator.component->info.name, what, use.component->info.name,
                           joined(use.component->info.yields, " and "), fit.empty() ? "none" : joined(fit)));
  }
}

// What a component asks for (`needs`, plumb/description.h): another parameter of the stage of that name, annotations in
// its data, a judge of the right sort.
void check_need(Checking& c, const StageSpec& stage, const ComponentUse& use, const Need& need) {
  const std::string& who = use.component->info.name;
  if (need.what == "annotation") {
    std::set<std::string> seen;
    if (stage.inputs.empty() || has_annotations(c, stage, seen)) return;
    c.complain(stage, mark_of(stage, use.param), use.param,
               fmt::format("{} needs prompts that come with a preference; sample from a dataset of preferences", who));
    return;
  }
  if (need.what == "one-answer") {
    const Value* samples = stage.params.find("samples");
    if (samples == nullptr || samples->type() != Value::Type::integer || samples->as_int() == 1) return;
    c.complain(stage, samples->mark, "samples",
               fmt::format("found {}, but {} judges one answer to each prompt; give 1", samples->as_int(), who));
    return;
  }
  std::string param = need.what;
  std::replace(param.begin(), param.end(), '-', '_');
  // An optimizer's reference is the starting model unless the recipe names another. A reward component that is named
  // says itself whether it reads a model.
  if (need.what == "reference" || find_param(stage, param) == nullptr) return;
  if (const Value* reward = stage.params.find("reward");
      need.what == "reward-model" && reward != nullptr && !reward->is_null())
    return;
  const Value* value = stage.params.find(param);
  if (value == nullptr || value->is_null()) {
    c.complain(stage, mark_of(stage, use.param), param, fmt::format("required by {}, but missing", who));
  } else if (need.what == "judge") {
    check_judge(c, stage, use, need.detail);
  }
}

void check_needs(Checking& c, const StageSpec& stage) {
  for (const ComponentUse& use : stage.components) {
    if (use.param == kStageComponent) continue;  // what a stage needs is not asked of its own parameters
    for (const std::string& need : use.component->info.needs) check_need(c, stage, use, parse_need(need));
  }
}

// A component's chat format is the framework's own: only it knows the names.
void check_chat_formats(Checking& c, const StageSpec& stage) {
  for (const ComponentUse& use : stage.components) {
    const Value* own = &stage.params;
    for (std::size_t at = 0; own != nullptr && at < use.param.size();) {
      const std::size_t dot = std::min(use.param.find('.', at), use.param.size());
      const std::string part = use.param.substr(at, dot - at);
      own = own->is_list() ? &own->as_list().at(std::stoul(part)) : own->is_map() ? own->find(part) : nullptr;
      at = dot + 1;
    }
    const Value* format = own != nullptr && own->is_map() ? own->find("chat_format") : nullptr;
    if (format == nullptr || !format->is_string() || format->as_string().empty()) continue;
    if (find_chat_format(format->as_string()) != nullptr) continue;
    c.complain(
        stage, format->mark, use.param + ".chat_format",
        fmt::format("there is no chat format `{}`; there are {}", format->as_string(), joined(chat_format_names())));
  }
}

}  // namespace

const ParamInfo* find_param(const StageSpec& stage, const std::string& name) {
  for (const ParamInfo& info : stage.kind->params) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

// Of a parameter, or of an item of a list as "evaluators.1".
Mark mark_of(const StageSpec& stage, const std::string& param) {
  const auto dot = param.find('.');
  const Value* value = stage.params.find(param.substr(0, dot));
  if (value == nullptr) return {};
  if (dot == std::string::npos || !value->is_list()) return value->mark;
  return value->as_list().at(std::stoul(param.substr(dot + 1))).mark;
}

const StageSpec* input_of(Checking& c, const StageSpec& stage, const std::string& param) {
  for (const StageInput& input : stage.inputs) {
    if (input.param == param) return c.find(input.stage);
  }
  return nullptr;
}

void check_combinations(Checking& checking) {
  for (const StageSpec& stage : checking.stages) {
    if (stage.kind == nullptr) continue;
    if (stage.kind->rules) stage.kind->rules(checking, stage);
    check_needs(checking, stage);
    check_chat_formats(checking, stage);
  }
}

}  // namespace plumb
