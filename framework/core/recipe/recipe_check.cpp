#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "framework/core/components/choice.h"
#include "framework/core/components/plugin_stage.h"
#include "framework/core/recipe/checking.h"
#include "framework/core/recipe/foreign_keys.h"
#include "framework/core/recipe/overrides.h"

namespace plumb {
namespace {

bool is_name(const std::string& s) {
  const auto alphanumeric = [](unsigned char c) { return c < 0x80 && std::isalnum(c) != 0; };
  return !s.empty() && s.size() <= 64 && alphanumeric(static_cast<unsigned char>(s[0])) &&
         std::all_of(s.begin(), s.end(), [&](unsigned char c) { return alphanumeric(c) || c == '-' || c == '_'; });
}

constexpr const char* kNameRule =
    "names have letters, digits, - and _, begin with a letter or digit, and have at most 64";

// The kind of that name: one of the framework's, or a plugin's component. False when there is none.
bool find_kind(Checking& c, StageSpec& spec, const Value& name) {
  const std::string& kind = name.as_string();
  if (const StageKind* known = find_stage_kind(kind)) {
    if (known->section == spec.section) spec.kind = known;
    if (spec.kind == nullptr) {
      c.complain(name.mark, dotted(spec, "stage"),
                 fmt::format("a {} stands under `{}:`, not under `{}:`", kind, known->section, spec.section));
    }
    return true;
  }
  try {
    const KnownComponent* component = c.registry.find("stage", kind);
    if (component == nullptr) return false;
    std::string called = spelling(c.registry, "stage", *component, kind);
    if (find_stage_kind(called) != nullptr) called = kind;  // the short name is the framework's
    spec.of_plugin = std::make_shared<const StageKind>(plugin_stage_kind(*component, called, c.registry));
    spec.kind = spec.of_plugin.get();
    spec.components.push_back({kStageComponent, component});
  } catch (const Error& ambiguous) {
    c.complain(name.mark, dotted(spec, "stage"), ambiguous.what());
  }
  return true;
}

// Finds what kind of stage an entry is; complains when there is none.
void find_kind_of_entry(Checking& c, StageSpec& spec, const Value& entry) {
  spec.kind = kind_of_section(spec.section);
  if (spec.kind != nullptr) return;
  std::vector<std::string> kinds = stage_kind_names();
  const std::vector<std::string> of_plugins = c.registry.names("stage");
  kinds.insert(kinds.end(), of_plugins.begin(), of_plugins.end());
  const Value* name = entry.find("stage");
  if (name == nullptr || name->is_null()) {
    c.complain(spec.mark, dotted(spec, "stage"),
               "required, but missing: the kind of the stage, one of " + joined(kinds));
  } else if (!name->is_string()) {
    c.complain(name->mark, dotted(spec, "stage"),
               fmt::format("found {}, wanted one of {}", name->type_name(), joined(kinds)));
  } else if (!find_kind(c, spec, *name)) {
    const std::string& kind = name->as_string();
    const std::string why = c.registry.why_absent("stage", kind);
    c.complain(name->mark, dotted(spec, "stage"),
               fmt::format("no stage kind `{}`; {}there are: {}", kind, why.empty() ? "" : why + "; ", joined(kinds)),
               nearest_name(kind, kinds));
  }
}

// Says of a stage that a plugin provides that it cannot have its own process.
bool explain_isolation(const StageSpec& spec, ParamIssue& issue) {
  if (spec.of_plugin == nullptr || issue.path != kIsolationKey || !issue.message.starts_with("unknown key"))
    return false;
  issue.message =
      "a stage runs in the process of the run; judges, evaluators and selection policies can have one of "
      "their own";
  issue.suggestion.clear();
  return true;
}

Value without_stage(const Value& entry) {
  Value out = Value::map();
  for (const auto& [key, value] : entry.as_map()) {
    if (key != "stage") out.set(key, value);
  }
  return out;
}

// Says of an unknown key that one of the components which the stage chooses has a parameter of that name.
bool explain_by_component(const Checking& c, const StageSpec& spec, ParamIssue& issue) {
  if (!issue.message.starts_with("unknown key")) return false;
  for (const ParamInfo& info : spec.kind->params) {
    if (info.type != ParamType::component) continue;
    const KnownComponent* chosen = find_chosen(c, info.component_kind, spec.params.find(info.name));
    if (chosen == nullptr) continue;
    const auto& own = chosen->info.params;
    if (std::none_of(own.begin(), own.end(), [&](const ParamInfo& p) { return p.name == issue.path; })) continue;
    issue.message = fmt::format("unknown key; it is a parameter of {}: write it into `{}`, as {{name: {}, {}: …}}",
                                chosen->info.name, info.name, chosen->info.name, issue.path);
    issue.suggestion = info.name + "." + issue.path;
    return true;
  }
  return false;
}

void check_params_of(Checking& c, StageSpec& spec, Value given) {
  given.mark = spec.mark;  // what is missing is missing where the stage is named
  auto issues = check_params(spec.kind->params, given, &spec.params);
  if (issues.empty() && spec.kind->check) issues = spec.kind->check(spec.params);
  for (ParamIssue& issue : issues) {
    if (!explain_isolation(spec, issue) && !explain_by_component(c, spec, issue))
      explain_unknown(issue, spec.kind->params);
    c.complain(spec, issue.mark, issue.path, issue.message, issue.suggestion);
  }
}

void check_entry(Checking& c, const std::string& section, const std::string& name, const Value& entry) {
  StageSpec spec;
  spec.name = name;
  spec.section = section;
  spec.kind = nullptr;
  spec.mark = entry.key_mark;
  if (!is_name(name)) c.complain(spec.mark, dotted(spec, ""), kNameRule);
  if (const StageSpec* other = c.find(name)) {
    c.complain(spec.mark, dotted(spec, ""),
               fmt::format("the name is taken by {}.{} in line {}; datasets, models and stages share one set of names",
                           other->section, name, c.source.text.place(other->mark).mark.line));
  }
  if (!entry.is_map()) {
    c.complain(entry.mark, dotted(spec, ""), fmt::format("found {}, wanted a map of parameters", entry.type_name()));
  } else {
    find_kind_of_entry(c, spec, entry);
    if (spec.kind != nullptr)
      check_params_of(c, spec, kind_of_section(section) == nullptr ? without_stage(entry) : entry);
  }
  c.stages.push_back(std::move(spec));
}

void check_plugins(Checking& c) {
  const Value* plugins = c.source.root.find("plugins");
  if (plugins == nullptr || !plugins->is_list()) return;
  for (std::size_t i = 0; i < plugins->as_list().size(); ++i) {
    const Value& item = plugins->as_list()[i];
    if (!item.is_string()) continue;
    const auto file = (c.source.folder(item.mark) / item.as_string()).lexically_normal();
    for (const PluginCandidate& candidate : c.registry.candidates()) {
      if (candidate.file != file || candidate.refused.empty()) continue;
      c.complain(item.mark, fmt::format("plugins.{}", i), "the plugin is refused: " + candidate.refused);
    }
  }
}

void check_top(Checking& c, Recipe& recipe) {
  Value resolved;
  for (ParamIssue& issue : check_params(recipe_params(), c.source.root, &resolved)) {
    if (issue.suggestion.empty()) explain_unknown(issue, recipe_params());
    c.problems.push_back(to_problem(issue, ""));
  }
  const Value& name = resolved.at("name");
  if (name.is_string()) recipe.name = name.as_string();
  if (name.is_string() && !is_name(recipe.name)) c.complain(name.mark, "name", kNameRule);
  const Value& seed = resolved.at("seed");
  if (seed.type() == Value::Type::integer && seed.as_int() >= 0)
    recipe.seed = static_cast<std::uint64_t>(seed.as_int());
  check_plugins(c);
}

}  // namespace

void Checking::complain(Mark mark, std::string key, std::string message, std::string nearest) {
  problems.push_back({mark, std::move(key), std::move(message), std::move(nearest)});
}

void Checking::complain(const StageSpec& stage, Mark mark, const std::string& param, std::string message,
                        std::string nearest) {
  const ParamIssue issue{param, mark == Mark{} ? stage.mark : mark, std::move(message), std::move(nearest)};
  problems.push_back(to_problem(issue, stage.section + "." + stage.name));
}

StageSpec* Checking::find(const std::string& name) {
  const auto found = std::find_if(stages.begin(), stages.end(), [&](const StageSpec& s) { return s.name == name; });
  return found == stages.end() ? nullptr : &*found;
}

std::string dotted(const StageSpec& stage, const std::string& param) {
  return stage.section + "." + stage.name + (param.empty() ? "" : "." + param);
}

void check_entries(Checking& checking) {
  bool readable = true;
  for (const char* section : {"datasets", "models", "stages"}) {
    const Value* entries = checking.source.root.find(section);
    if (entries == nullptr || entries->is_null()) continue;
    if (!entries->is_map()) {
      readable = false;
      checking.complain(entries->mark, section, fmt::format("found {}, wanted a map of names", entries->type_name()));
      continue;
    }
    for (const auto& [name, entry] : entries->as_map()) check_entry(checking, section, name, entry);
  }
  if (readable && checking.stages.empty()) {
    checking.complain(checking.source.root.mark, "stages",
                      "the recipe has no stages, datasets or models; there is nothing to run");
  }
}

const StageSpec* Recipe::find(const std::string& wanted) const {
  const auto found = std::find_if(stages.begin(), stages.end(), [&](const StageSpec& s) { return s.name == wanted; });
  return found == stages.end() ? nullptr : &*found;
}

Recipe check_recipe(const RecipeSource& source, const Registry& registry, std::vector<Problem>& problems) {
  Recipe recipe;
  recipe.file = source.file;
  recipe.plugins = source.plugins;
  recipe.files_may_be_absent = source.files_may_be_absent;
  std::vector<Problem> found;
  if (source.root.is_map()) {
    Checking checking{source, registry, found};
    check_top(checking, recipe);
    check_entries(checking);
    check_components(checking);
    check_devices(checking, recipe.absent_device);
    connect(checking);
    check_combinations(checking);
    check_model_references(checking);
    order_stages(checking);
    recipe.stages = std::move(checking.stages);
  }
  // A value that could not be read is a problem once, not again for its type.
  std::erase_if(found, [&](const Problem& p) {
    return std::any_of(source.problems.begin(), source.problems.end(),
                       [&](const Problem& earlier) { return earlier.mark == p.mark && p.mark.line > 0; });
  });
  problems.insert(problems.end(), source.problems.begin(), source.problems.end());
  problems.insert(problems.end(), found.begin(), found.end());
  sort_problems(problems);
  return recipe;
}

}  // namespace plumb
