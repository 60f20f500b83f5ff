#include "framework/core/recipe/plugin_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "framework/core/components/choice.h"
#include "framework/core/components/plugin_stage.h"
#include "framework/core/isolation/examination.h"
#include "framework/core/recipe/checking.h"
#include "framework/core/recipe/dotted_value.h"
#include "framework/core/recipe/sweep.h"
#include "plumb/description.h"

namespace plumb {
namespace {

// One component of one stage of one arm.
struct Use {
  const std::string* arm;
  const StageSpec* stage;
  const ComponentUse* use;
};

std::vector<Use> uses_of(const LoadedRecipe& loaded, const std::function<bool(const StageSpec&)>& wanted) {
  static const std::string none;
  std::vector<Use> out;
  const auto add = [&](const Recipe& recipe, const std::string& arm) {
    for (const StageSpec& stage : recipe.stages) {
      if (wanted && !wanted(stage)) continue;
      for (const ComponentUse& use : stage.components) out.push_back({&arm, &stage, &use});
    }
  };
  if (!loaded.sweep) add(loaded.recipe, none);
  if (loaded.sweep) {
    for (const Arm& arm : loaded.sweep->arms) add(arm.recipe, arm.name);
  }
  return out;
}

// The component's parameters as its rules may see them before anything runs; nothing for a component that gets its
// parameters from a model's folder.
std::optional<Value> params_for_rules(const StageSpec& stage, const ComponentUse& use) {
  const ComponentInfo& info = use.component->info;
  if (use.param == kStageComponent) {
    Value own = stage.params;
    own.mark = {};
    return own;
  }
  const Value* chosen = find_dotted(stage.params, use.param);
  if (chosen == nullptr || !chosen->is_map() || chosen->find("name") == nullptr) return std::nullopt;
  Value own = without_isolation(info, *chosen);
  erase_dotted(own, "name");
  own.mark = {};  // or it would stand in the message
  for (const ParamInfo& param : info.params) {
    const Value* given = own.find(param.name);
    if (param.type != ParamType::path || (given != nullptr && given->is_string())) continue;
    if (const Value* input = handed_over(stage, use, param.name)) own.set(param.name, *input);
  }
  return own;
}

// What Params::parse says, without the component's description in front.
std::string without_heading(const std::string& message, const ComponentInfo& info) {
  const std::string heading = info.doc + "\n  ";
  return message.starts_with(heading) ? message.substr(heading.size()) : message;
}

// Where the recipe's reader sees it: at the parameter that a rule begins with, else at the component.
Problem problem_of(const StageSpec& stage, const ComponentUse& use, const Finding& finding) {
  const bool whole = use.param == kStageComponent;
  const Value* own = whole ? &stage.params : find_dotted(stage.params, use.param);
  ParamIssue issue{use.param, own == nullptr ? Mark{} : own->mark, finding.message, {}};
  if (finding.what == Finding::What::rule) {
    issue.message = without_heading(finding.message, use.component->info);
    const std::size_t end = issue.message.find_first_of(": ");
    const std::string word = issue.message.substr(0, end);
    const auto& params = use.component->info.params;
    const bool names_one =
        std::any_of(params.begin(), params.end(), [&](const ParamInfo& p) { return p.name == word; });
    if (names_one) {
      issue.path = whole ? word : issue.path + "." + word;
      if (issue.message[end] == ':') issue.message.erase(0, issue.message.find_first_not_of(": ", end));
      const Value* value = own == nullptr ? nullptr : own->find(word);
      if (value != nullptr && !(value->mark == Mark{})) issue.mark = value->mark;
    }
  }
  if (issue.mark == Mark{}) issue.mark = stage.mark;
  return to_problem(issue, stage.section + "." + stage.name);
}

}  // namespace

PluginCheck check_with_plugins(const LoadedRecipe& loaded, const PluginCheckOptions& options) {
  PluginCheck out;
  std::vector<Examination> questions;
  std::vector<std::vector<Use>> askers;  // of each question
  std::map<std::pair<const KnownComponent*, std::string>, std::size_t> known;
  for (const Use& use : uses_of(loaded, options.wanted)) {
    const KnownComponent* component = use.use->component;
    if (options.trusted && !options.trusted(*component->plugin)) {
      const auto& file = component->plugin->file;
      if (std::find(out.unopened.begin(), out.unopened.end(), file) == out.unopened.end()) out.unopened.push_back(file);
      continue;
    }
    std::optional<Value> params = params_for_rules(*use.stage, *use.use);
    const auto [place, fresh] =
        known.try_emplace({component, params ? to_json(*params) : std::string()}, questions.size());
    if (fresh) {
      questions.push_back({component, std::move(params)});
      askers.emplace_back();
    }
    askers[place->second].push_back(use);
  }
  const std::vector<Finding> findings = examine(questions);
  const std::size_t arms = loaded.sweep ? loaded.sweep->arms.size() : 1;
  for (const Finding::What what : {Finding::What::plugin, Finding::What::rule}) {
    ArmProblems problems(arms);
    for (std::size_t i = 0; i < findings.size(); ++i) {
      if (findings[i].what != what) continue;
      for (const Use& use : askers[i]) problems.add(*use.arm, problem_of(*use.stage, *use.use, findings[i]));
    }
    problems.move_to(out.problems);
    if (what == Finding::What::plugin) out.plugin_faults = out.problems.size();
  }
  return out;
}

std::vector<Problem> check_environment(const LoadedRecipe& loaded,
                                       const std::function<bool(const StageSpec&)>& wanted) {
  ArmProblems problems(loaded.sweep ? loaded.sweep->arms.size() : 1);
  for (const Use& use : uses_of(loaded, wanted)) {
    for (const std::string& declared : use.use->component->info.needs) {
      const Need need = parse_need(declared);
      if (need.what != "environment") continue;
      const std::string param = use.use->param + "." + need.detail;
      const Value* variable = find_dotted(use.stage->params, param);
      if (variable == nullptr || !variable->is_string() || variable->as_string().empty()) continue;
      const char* value = std::getenv(variable->as_string().c_str());
      if (value != nullptr && *value != '\0') continue;
      // The name is not repeated: somebody may have put a key there.
      const ParamIssue issue{param,
                             variable->mark == Mark{} ? use.stage->mark : variable->mark,
                             "the environment variable of this name is not set; export it",
                             {}};
      problems.add(*use.arm, to_problem(issue, use.stage->section + "." + use.stage->name));
    }
  }
  std::vector<Problem> out;
  problems.move_to(out);
  return out;
}

}  // namespace plumb
