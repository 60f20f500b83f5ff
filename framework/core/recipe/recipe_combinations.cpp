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

// An optimizer learns from some types only.
void check_optimizer_takes(Checking& c, const StageSpec& stage) {
  for (const ComponentUse& use : stage.components) {
    const auto& takes = use.component->info.takes;
    if (use.param != "optimizer" || takes.empty()) continue;
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
                             use.component->info.name, joined(takes, " or ")));
    }
  }
}

// A reward model and a policy are trained by optimizers of different sorts.
void check_optimizer_yields(Checking& c, const StageSpec& stage) {
  for (const ComponentUse& use : stage.components) {
    if (use.param != "optimizer") continue;
    const auto trains_rewards = [](const ComponentInfo& info) {
      return std::find(info.yields.begin(), info.yields.end(), artifact_type::reward_model) != info.yields.end();
    };
    const bool wanted = stage.output == artifact_type::reward_model;
    const std::string& name = use.component->info.name;
    if (trains_rewards(use.component->info) == wanted) continue;
    std::vector<std::string> fit;
    for (const KnownComponent* other : c.registry.all("optimizer")) {
      if (trains_rewards(other->info)) fit.push_back(other->info.name);
    }
    c.complain(stage, mark_of(stage, use.param), use.param,
               wanted ? fmt::format("{} trains no reward model; those that do: {}", name, joined(fit))
                      : fmt::format("{} trains reward models; the stage kind reward_model takes it", name));
  }
}

// Keys of a stage that optimizers of one sort alone read.
void check_optimizer_reads(Checking& c, const StageSpec& stage) {
  for (const ComponentUse& use : stage.components) {
    const auto& takes = use.component->info.takes;
    if (use.param != "optimizer" || takes.empty()) continue;
    const bool online = std::find(takes.begin(), takes.end(), artifact_type::prompts) != takes.end();
    if (online) continue;
    for (const char* param : {"reward_model", "reward", "rollout", "value_model"}) {
      const Value* value = stage.params.find(param);
      if (value == nullptr || value->is_null()) continue;
      c.complain(stage, value->mark, param,
                 fmt::format("has no effect: the optimizer {} takes {} and makes no answers of its own",
                             use.component->info.name, joined(takes, " or ")));
    }
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

// Random weights with fewer rows than their tokenizer has tokens.
void check_vocabulary(Checking& c, const StageSpec& stage) {
  if (stage.kind->kind != "model") return;
  const Value& config = stage.params.at("config");
  const Value* rows = config.is_map() ? config.find("vocab_size") : nullptr;
  const StageSpec* tokenizer = input_of(c, stage, "tokenizer");
  if (rows == nullptr || rows->type() != Value::Type::integer || tokenizer == nullptr || tokenizer->kind == nullptr)
    return;
  const Value* tokens = tokenizer->kind->kind == "tokenizer" && tokenizer->params.at("path").is_null()
                            ? tokenizer->params.find("vocabulary_size")
                            : nullptr;
  if (tokens == nullptr || tokens->type() != Value::Type::integer || tokens->as_int() <= rows->as_int()) return;
  c.complain(stage, rows->mark, "config.vocab_size",
             fmt::format("found {}, but the tokenizer `{}` has {} tokens; leave it out, or make it at least that",
                         rows->as_int(), tokenizer->name, tokens->as_int()));
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

void check_combinations(Checking& checking) {
  for (const StageSpec& stage : checking.stages) {
    if (stage.kind == nullptr) continue;
    check_optimizer_takes(checking, stage);
    check_optimizer_yields(checking, stage);
    check_optimizer_reads(checking, stage);
    check_threshold(checking, stage);
    check_needs(checking, stage);
    check_vocabulary(checking, stage);
    check_chat_formats(checking, stage);
  }
}

}  // namespace plumb
