// Which components the stages use, the components' own parameters, and the files that parameters name.
#include <fmt/format.h>

#include <algorithm>

#include "framework/core/artifacts/disk.h"
#include "framework/core/components/choice.h"
#include "framework/core/components/hand_over.h"
#include "framework/core/recipe/checking.h"
#include "framework/core/recipe/dotted_value.h"
#include "framework/core/recipe/foreign_keys.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

std::string article(const std::string& noun) {
  return (std::string("aeiou").find(noun[0]) != std::string::npos ? "an " : "a ") + noun;
}

class Components {
 public:
  Components(Checking& checking, StageSpec& stage) : c_(checking), stage_(stage) {}

  void visit(const std::vector<ParamInfo>& infos, Value& params, const std::string& prefix) {
    for (const ParamInfo& info : infos) {
      Value* value = params.is_map() ? params.find(info.name) : nullptr;
      if (value == nullptr || value->is_null()) continue;
      const std::string here = prefix + info.name;
      switch (info.type) {
        case ParamType::path:
          if (value->is_string() && !value->as_string().empty()) check_path(c_, stage_, *value, here);
          break;
        case ParamType::component:
          component(info.component_kind, *value, here);
          break;
        case ParamType::components:
          if (!value->is_list()) break;
          for (std::size_t i = 0; i < value->as_list().size(); ++i) {
            component(info.component_kind, value->as_list()[i], fmt::format("{}.{}", here, i));
          }
          break;
        case ParamType::string:  // a component's name alone, as a model's architecture
          if (!info.component_kind.empty() && value->is_string()) {
            use(here, require_component(c_, stage_, info.component_kind, *value, here));
          }
          break;
        case ParamType::value:
          if (!info.fields.empty()) visit(info.fields, *value, here + ".");
          break;
        default:
          break;
      }
    }
  }

 private:
  void use(const std::string& param, const KnownComponent* component) {
    if (component != nullptr) stage_.components.push_back({param, component});
  }

  // `value` is {name: …, its parameters…} and becomes complete.
  void component(const std::string& kind, Value& value, const std::string& here) {
    const Value* name = value.is_map() ? value.find("name") : &value;
    if (name == nullptr || !name->is_string()) return;  // complained of with the stage's parameters
    const KnownComponent* known = require_component(c_, stage_, kind, *name, here);
    if (known == nullptr) return;
    use(here, known);
    Value given = Value::map();
    given.mark = value.mark == Mark{} ? name->mark : value.mark;
    if (value.is_map()) {
      for (const auto& [key, parameter] : value.as_map()) {
        if (key != "name") given.set(key, parameter);
      }
    }
    std::vector<ParamInfo> infos = declared(kind, *known, given, here);
    refuse_isolation(*known, given, here);
    const std::vector<ParamInfo> isolation = isolation_params(known->info);
    infos.insert(infos.end(), isolation.begin(), isolation.end());
    Value params;
    for (ParamIssue& issue : check_params(infos, given, &params)) {
      explain_one_up(issue);
      c_.complain(stage_, issue.mark, here + "." + issue.path, issue.message, issue.suggestion);
    }
    ++depth_;
    visit(known->info.params, params, here + ".");
    --depth_;
    Value complete = Value::map({{"name", spelling(c_.registry, kind, *known, name->as_string())}});
    for (const ParamInfo& info : isolation) {
      if (isolation_choice(known->info, params).process) complete.set(info.name, *params.find(info.name));
    }
    for (const ParamInfo& info : known->info.params) {
      const Value* parameter = params.find(info.name);
      // An empty path is one that was not given.
      const bool absent = info.type == ParamType::path && *parameter == Value("");
      if (!absent) complete.set(info.name, *parameter);
    }
    complete.mark = value.mark;
    complete.key_mark = value.key_mark;
    value = std::move(complete);
  }

  // Of an unknown key of the component that the stage itself has, under this name or another.
  void explain_one_up(ParamIssue& issue) const {
    if (!issue.message.starts_with("unknown key")) return;
    const auto& infos = stage_.kind->params;
    const bool own = std::any_of(infos.begin(), infos.end(), [&](const ParamInfo& p) { return p.name == issue.path; });
    const KeyHint hint = own ? KeyHint{{}, issue.path} : hint_for(issue.path, infos);
    if (hint.nearest.empty() || (!own && !issue.suggestion.empty())) return;
    issue.message = fmt::format("unknown key; it is `{}` of the stage, one level up", hint.nearest);
    issue.suggestion.clear();
  }

  // Says why a component cannot have its own process where it is given one, and takes the key out.
  void refuse_isolation(const KnownComponent& known, Value& given, const std::string& here) {
    const Value* isolation = given.find(kIsolationKey);
    const Value* timeout = given.find(kCallTimeoutKey);
    const std::vector<ParamInfo> keys = isolation_params(known.info);
    if (isolation == nullptr) {
      if (timeout != nullptr && keys.size() == 2) {
        c_.complain(stage_, timeout->key_mark, here + "." + kCallTimeoutKey,
                    "means nothing without `isolation: process` beside it");
      }
      return;
    }
    const auto& own = known.info.params;
    if (std::any_of(own.begin(), own.end(), [](const ParamInfo& i) { return i.name == kIsolationKey; })) return;
    if (!keys.empty() && depth_ == 0) return;
    c_.complain(stage_, isolation->key_mark, here + "." + kIsolationKey,
                keys.empty() ? fmt::format("{} cannot run in a process of its own: judges, evaluators and selection "
                                           "policies can, whose calls take and give plain data",
                                           article(plain_kind(known)))
                             : "a component among another one's parameters runs where that one runs");
    std::erase_if(given.as_map(), [&](const Value::Entry& entry) {
      return entry.key == kIsolationKey || (!keys.empty() && entry.key == kCallTimeoutKey);
    });
  }

  static std::string plain_kind(const KnownComponent& known) { return without_revision(known.info.kind); }

  // The component's declaration, with `path` optional when an input of the stage provides it.
  std::vector<ParamInfo> declared(const std::string& kind, const KnownComponent& known, const Value& given,
                                  const std::string& here) {
    std::vector<ParamInfo> infos = known.info.params;
    const Feed* feed = feed_of(*stage_.kind, known.info, here);
    if (feed == nullptr) return infos;
    const auto path = std::find_if(infos.begin(), infos.end(), [](const ParamInfo& i) { return i.name == kFedParam; });
    const Value* provided = stage_.params.find(feed->input);
    const Value* own = given.find(kFedParam);
    const bool needed = path->required || path->default_value == Value("");
    if (feed->unless_own && own != nullptr) return infos;
    if (own != nullptr && provided != nullptr && !provided->is_null()) {
      c_.complain(stage_, own->mark, feed->input, "gives the path already; give one of the two");
    } else if (own == nullptr && needed && (provided == nullptr || provided->is_null())) {
      c_.complain(
          stage_, given.mark, feed->input,
          fmt::format("required by the {} {}, but missing: the stage whose result it reads", kind, known.info.name));
    }
    path->required = false;
    return infos;
  }

  Checking& c_;
  StageSpec& stage_;
  int depth_ = 0;  // of components among components' parameters
};

void fill_needed_defaults(const Checking& c, StageSpec& stage) {
  const auto given = [&](const std::string& param) {
    const Value* value = stage.params.find(param);
    return value != nullptr && !value->is_null();
  };
  for (const NeededDefault& unless_given : stage.kind->needed_defaults) {
    if (given(unless_given.param) || !given(unless_given.beside)) continue;
    const KnownComponent* asker = find_chosen(c, unless_given.asker, stage.params.find(unless_given.asker));
    if (asker == nullptr) continue;
    const auto& needs = asker->info.needs;
    if (std::find(needs.begin(), needs.end(), unless_given.need) == needs.end()) continue;
    Value value = unless_given.value;
    value.mark = stage.params.at(unless_given.asker).mark;
    stage.params.set(unless_given.param, std::move(value));
  }
}

// What reads the folders that components open by themselves runs with the stage, and is a part of its key.
void check_opened_folders(Checking& c, StageSpec& stage) {
  const std::vector<ComponentUse> chosen = stage.components;  // more are added
  for (const ComponentUse& use : chosen) {
    const auto& needs = use.component->info.needs;
    if (std::find(needs.begin(), needs.end(), "language-models") == needs.end()) continue;
    const Value* path = find_dotted(stage.params, use.param + ".path");
    if (path != nullptr && path->is_string() && !path->as_string().empty()) {
      check_opened_folder(c, stage, *path, use.param + ".path");
    }
  }
}

}  // namespace

std::string spelling(const Registry& registry, const std::string& kind, const KnownComponent& known,
                     const std::string& given) {
  const auto names = registry.names(kind);
  return std::find(names.begin(), names.end(), known.info.name) == names.end() ? given : known.info.name;
}

const Value* handed_over(const StageSpec& stage, const ComponentUse& use, const std::string& param) {
  const Feed* feed = param == kFedParam ? feed_of(*stage.kind, use.component->info, use.param) : nullptr;
  const Value* name = feed == nullptr ? nullptr : stage.params.find(feed->input);
  return name != nullptr && name->is_string() ? name : nullptr;
}

const KnownComponent* find_chosen(const Checking& c, const std::string& kind, const Value* chosen) {
  const Value* name = chosen != nullptr && chosen->is_map() ? chosen->find("name") : nullptr;
  if (name == nullptr || !name->is_string()) return nullptr;
  try {
    return c.registry.find(kind, name->as_string());
  } catch (const Error&) {
    return nullptr;  // ambiguous: complained of as any component
  }
}

const KnownComponent* require_component(Checking& c, const StageSpec& stage, const std::string& kind, const Value& name,
                                        const std::string& param) {
  try {
    if (const KnownComponent* known = c.registry.find(kind, name.as_string())) return known;
  } catch (const Error& ambiguous) {
    c.complain(stage, name.mark, param, ambiguous.what());
    return nullptr;
  }
  const auto names = c.registry.names(kind);
  std::string message = fmt::format("there is no {} `{}`; ", kind, name.as_string());
  const std::string why = c.registry.why_absent(kind, name.as_string());
  if (!why.empty()) message += why + "; ";
  message += names.empty() ? fmt::format("no plugin provides {}", article(kind)) : "there are: " + joined(names);
  c.complain(stage, name.mark, param, std::move(message), nearest_name(name.as_string(), names));
  return nullptr;
}

void check_path(Checking& c, const StageSpec& stage, Value& path, const std::string& param) {
  const fs::path full = (c.source.folder(path.mark) / path.as_string()).lexically_normal();
  std::error_code error;
  if (!fs::exists(full, error) && !c.source.files_may_be_absent) {
    std::vector<std::string> beside;
    for (fs::directory_iterator at(full.parent_path(), error); !error && at != fs::directory_iterator();
         at.increment(error)) {
      beside.push_back(at->path().filename().string());
      if (beside.size() == 1000) break;
    }
    std::sort(beside.begin(), beside.end());
    c.complain(stage, path.mark, param, "no such file or folder: " + full.string(),
               nearest_name(full.filename().string(), beside));
  } else if (const std::string why = unreadable(full); !why.empty()) {
    c.complain(stage, path.mark, param, why);
  }
  Value absolute = full.string();
  absolute.mark = path.mark;
  absolute.key_mark = path.key_mark;
  path = std::move(absolute);
}

void check_components(Checking& checking) {
  for (StageSpec& stage : checking.stages) {
    if (stage.kind == nullptr) continue;
    fill_needed_defaults(checking, stage);
    Components(checking, stage).visit(stage.kind->params, stage.params, "");
  }
  for (StageSpec& stage : checking.stages) {
    if (stage.kind != nullptr) check_opened_folders(checking, stage);
  }
  for (StageSpec& stage : checking.stages) {
    if (stage.kind != nullptr && stage.kind->find_components) stage.kind->find_components(checking, stage);
  }
}

}  // namespace plumb
