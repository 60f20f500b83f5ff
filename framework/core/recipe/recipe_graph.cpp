// How stages feed each other: names, artifact types, cycles, order.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "framework/core/recipe/checking.h"
#include "framework/core/recipe/dotted_value.h"

namespace plumb {
namespace {

std::vector<std::string> all_names(const Checking& c) {
  std::vector<std::string> out;
  for (const StageSpec& stage : c.stages) out.push_back(stage.name);
  return out;
}

// Names of the stages whose output an input may take.
std::vector<std::string> fitting(const Checking& c, const StageSpec& user, const std::vector<std::string>& accepts) {
  std::vector<std::string> out;
  for (const StageSpec& stage : c.stages) {
    const bool fits = accepts.empty() || std::find(accepts.begin(), accepts.end(), stage.output) != accepts.end();
    if (fits && stage.name != user.name) out.push_back(stage.name);
  }
  return out;
}

// What a component yields with these parameters: where it can yield several types, one of its parameters chooses.
std::string yielded(const ComponentInfo& info, const Value& params) {
  if (info.yields.size() == 1) return info.yields.front();
  for (const ParamInfo& param : info.params) {
    const Value* value = params.is_map() ? params.find(param.name) : nullptr;
    if (value == nullptr || !value->is_string()) continue;
    if (std::find(info.yields.begin(), info.yields.end(), value->as_string()) != info.yields.end())
      return value->as_string();
  }
  return {};
}

// The types that a dataset's rows can be turned into.
bool converts(const std::string& from, const std::string& to) {
  static const std::map<std::string, std::vector<std::string>> into = {
      {artifact_type::preferences, {artifact_type::prompts, artifact_type::demonstrations, artifact_type::texts}},
      {artifact_type::demonstrations, {artifact_type::prompts, artifact_type::texts}},
  };
  if (from == to) return true;
  const auto found = into.find(from);
  return found != into.end() && std::find(found->second.begin(), found->second.end(), to) != found->second.end();
}

// Whether the output is of the type of the stages named there.
bool takes_inputs(const StageSpec& stage) {
  const auto& params = stage.kind->params;
  return std::any_of(params.begin(), params.end(), [&](const ParamInfo& info) {
    const bool names_stages = info.type == ParamType::stage_input || info.type == ParamType::stage_inputs;
    return info.name == stage.kind->output_from && names_stages;
  });
}

void find_output(Checking& c, StageSpec& stage) {
  stage.output = stage.kind->output;
  if (stage.output != "*") return;
  stage.output.clear();
  if (takes_inputs(stage)) return;
  const KnownComponent* component = component_of(stage, stage.kind->output_from);
  if (component == nullptr) return;
  const Value* params = stage.params.find(stage.kind->output_from);
  stage.output = params == nullptr ? "" : yielded(component->info, *params);
  if (stage.output.empty()) {
    c.complain(stage, params == nullptr ? Mark{} : params->mark, stage.kind->output_from,
               fmt::format("{} does not say which type it yields", component->info.name));
    return;
  }
  const Value* as = stage.params.find("as");
  if (as == nullptr || !as->is_string()) return;
  if (!converts(stage.output, as->as_string())) {
    c.complain(
        stage, as->mark, "as",
        fmt::format("{} yields {}, which cannot become {}", component->info.name, stage.output, as->as_string()));
  }
  stage.output = as->as_string();
}

// Adds an input; complains when no such stage exists.
void add_input(Checking& c, StageSpec& stage, const Value& name, const std::string& param, const std::string& key,
               const std::vector<std::string>& accepts) {
  if (!name.is_string()) return;  // complained of with the stage's parameters
  if (c.find(name.as_string()) != nullptr) {
    stage.inputs.push_back({param, name.as_string()});
    return;
  }
  const auto fits = fitting(c, stage, accepts);
  const std::string types = accepts.empty() ? "" : fmt::format(" of type {}", joined(accepts, " or "));
  c.complain(stage, name.mark, key,
             fmt::format("no dataset, model or stage is named `{}`; {}", name.as_string(),
                         fits.empty() ? fmt::format("and there is none{}", types)
                                      : fmt::format("those{}: {}", types, joined(fits))),
             nearest_name(name.as_string(), all_names(c)));
}

// Those among `params`, which are declared by `infos`; `prefix` is what their names begin with: "policy." of a
// component.
void add_inputs(Checking& c, StageSpec& stage, const std::vector<ParamInfo>& infos, const Value& params,
                const std::string& prefix) {
  for (const ParamInfo& info : infos) {
    const Value* value = params.find(info.name);
    if (value == nullptr || value->is_null()) continue;
    const std::string here = prefix + info.name;
    if (info.type == ParamType::value && value->is_map()) add_inputs(c, stage, info.fields, *value, here + ".");
    // A component's string is empty where nothing was given.
    const bool given = prefix.empty() || !(*value == Value(""));
    if (info.type == ParamType::stage_input && given) add_input(c, stage, *value, here, here, info.accepts);
    if (info.type != ParamType::stage_inputs || !value->is_list()) continue;
    for (std::size_t i = 0; i < value->as_list().size(); ++i) {
      const Value& item = value->as_list()[i];
      const std::string param = here + "/" + (item.is_string() ? item.as_string() : "");
      add_input(c, stage, item, param, fmt::format("{}.{}", here, i), info.accepts);
    }
  }
}

void add_inputs(Checking& c, StageSpec& stage) {
  add_inputs(c, stage, stage.kind->params, stage.params, "");
  for (const ComponentUse& use : stage.components) {
    const Value* own = find_dotted(stage.params, use.param);
    if (own != nullptr && own->is_map()) add_inputs(c, stage, use.component->info.params, *own, use.param + ".");
  }
}

// The declaration of a parameter by its dotted name, of the stage or of one of its components; null when there is none.
const ParamInfo* declaration_of(const std::vector<ParamInfo>& infos, const std::string& name) {
  const auto dot = std::min(name.find('.'), name.size());
  for (const ParamInfo& info : infos) {
    if (info.name != name.substr(0, dot)) continue;
    return dot == name.size() ? &info : declaration_of(info.fields, name.substr(dot + 1));
  }
  return nullptr;
}

const ParamInfo* declaration_of(const StageSpec& stage, const std::string& name) {
  if (const ParamInfo* own = declaration_of(stage.kind->params, name)) return own;
  for (const ComponentUse& use : stage.components) {
    if (!name.starts_with(use.param + ".")) continue;
    if (const ParamInfo* info = declaration_of(use.component->info.params, name.substr(use.param.size() + 1)))
      return info;
  }
  return nullptr;
}

Mark mark_of_input(const StageSpec& stage, const StageInput& input) {
  const auto slash = input.param.find('/');
  const Value* named = find_dotted(stage.params, input.param.substr(0, slash));
  if (named == nullptr) return {};
  const Value& value = *named;
  if (!value.is_list()) return value.mark;
  for (const Value& item : value.as_list()) {
    if (item.is_string() && item.as_string() == input.stage) return item.mark;
  }
  return value.mark;
}

void check_type(Checking& c, const StageSpec& stage, const StageInput& input) {
  const std::string param = input.param.substr(0, input.param.find('/'));
  const std::string& type = c.find(input.stage)->output;
  const ParamInfo* info = declaration_of(stage, param);
  if (type.empty() || info == nullptr || info->accepts.empty()) return;
  if (std::find(info->accepts.begin(), info->accepts.end(), type) != info->accepts.end()) return;
  const auto fits = fitting(c, stage, info->accepts);
  c.complain(stage, mark_of_input(stage, input), param,
             fmt::format("`{}` is of type {}, wanted {}; {}", input.stage, type, joined(info->accepts, " or "),
                         fits.empty() ? "there is none" : "of that type: " + joined(fits)));
}

// True when the type of an input is known; complains of inputs of other types.
bool take_output_of_inputs(Checking& c, StageSpec& stage) {
  const StageInput* first = nullptr;
  for (const StageInput& input : stage.inputs) {
    const StageSpec& from = *c.find(input.stage);
    if (from.output.empty() || input.param.substr(0, input.param.find('/')) != stage.kind->output_from) continue;
    if (first == nullptr) first = &input;
    if (stage.output.empty()) {
      stage.output = from.output;
    } else if (from.output != stage.output) {
      c.complain(stage, mark_of_input(stage, input), stage.kind->output_from,
                 fmt::format("`{}` is of type {}, but `{}` of type {}; what is made of them has one", from.name,
                             from.output, first->stage, stage.output));
    }
  }
  return !stage.output.empty();
}

// Visits inputs first. A stage met again while its own inputs are visited closes a cycle.
class Order {
 public:
  explicit Order(Checking& c) : c_(c), state_(c.stages.size(), State::fresh) {}

  std::vector<std::size_t> sorted() {
    for (std::size_t i = 0; i < c_.stages.size(); ++i) visit(i);
    return std::move(order_);
  }

 private:
  enum class State { fresh, open, done };

  void visit(std::size_t i) {
    if (state_[i] != State::fresh) return;
    state_[i] = State::open;
    path_.push_back(i);
    for (const StageInput& input : c_.stages[i].inputs) {
      const auto next = static_cast<std::size_t>(c_.find(input.stage) - c_.stages.data());
      if (state_[next] == State::open) {
        complain(i, input, next);
      } else {
        visit(next);
      }
    }
    path_.pop_back();
    state_[i] = State::done;
    order_.push_back(i);
  }

  void complain(std::size_t from, const StageInput& input, std::size_t to) {
    std::string cycle;
    for (auto at = std::find(path_.begin(), path_.end(), to); at != path_.end(); ++at) {
      cycle += c_.stages[*at].name + " -> ";
    }
    const StageSpec& stage = c_.stages[from];
    c_.complain(stage, mark_of_input(stage, input), input.param.substr(0, input.param.find('/')),
                fmt::format("the stages wait for each other: {}{}", cycle, c_.stages[to].name));
  }

  Checking& c_;
  std::vector<State> state_;
  std::vector<std::size_t> path_, order_;
};

}  // namespace

const KnownComponent* component_of(const StageSpec& stage, const std::string& param) {
  for (const ComponentUse& use : stage.components) {
    if (use.param == param) return use.component;
  }
  return nullptr;
}

void connect(Checking& checking) {
  for (StageSpec& stage : checking.stages) {
    if (stage.kind != nullptr) find_output(checking, stage);
  }
  for (StageSpec& stage : checking.stages) {
    if (stage.kind != nullptr) add_inputs(checking, stage);
  }
  // Inputs of one stage may be such stages themselves, so until nothing changes.
  for (bool changed = true; changed;) {
    changed = false;
    for (StageSpec& stage : checking.stages) {
      if (stage.kind != nullptr && stage.output.empty() && takes_inputs(stage)) {
        changed = take_output_of_inputs(checking, stage) || changed;
      }
    }
  }
  for (const StageSpec& stage : checking.stages) {
    for (const StageInput& input : stage.inputs) check_type(checking, stage, input);
  }
}

void order_stages(Checking& checking) {
  std::vector<StageSpec> sorted;
  for (std::size_t i : Order(checking).sorted()) sorted.push_back(std::move(checking.stages[i]));
  checking.stages = std::move(sorted);
}

}  // namespace plumb
