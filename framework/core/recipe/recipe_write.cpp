#include "framework/core/recipe/recipe.h"
#include "framework/core/recipe/yaml.h"

namespace plumb {
namespace {

// Parameters without those that are unset: null reads the same as absent. Inside free values such as `config` it is
// kept.
Value written(const std::vector<ParamInfo>& infos, const Value& params) {
  Value out = Value::map();
  for (const auto& [key, value] : params.as_map()) {
    if (value.is_null()) continue;
    ParamType type = ParamType::value;
    for (const ParamInfo& info : infos) {
      if (info.name == key) type = info.type;
    }
    if (type == ParamType::component && value.is_map()) {
      out.set(key, written({}, value));
    } else if (type == ParamType::components && value.is_list()) {
      Value::List items;
      for (const Value& item : value.as_list()) items.push_back(item.is_map() ? written({}, item) : item);
      out.set(key, Value(std::move(items)));
    } else {
      out.set(key, value);
    }
  }
  return out;
}

}  // namespace

std::string write_recipe(const Recipe& recipe) {
  Value root = Value::map({{"name", recipe.name}, {"seed", static_cast<std::int64_t>(recipe.seed)}});
  Value::List plugins;
  for (const auto& file : recipe.plugins) plugins.emplace_back(file.string());
  if (!plugins.empty()) root.set("plugins", Value(std::move(plugins)));
  for (const char* section : {"datasets", "models", "stages"}) {
    Value entries = Value::map();
    for (const StageSpec& stage : recipe.stages) {
      if (stage.section != section) continue;
      Value entry = Value::map();
      if (stage.section == "stages") entry.set("stage", stage.kind->kind);
      const Value params = written(stage.kind->params, stage.params);
      for (const auto& [key, value] : params.as_map()) entry.set(key, value);
      entries.set(stage.name, std::move(entry));
    }
    if (!entries.as_map().empty()) root.set(section, std::move(entries));
  }
  return write_yaml(root);
}

}  // namespace plumb
