// Reading a recipe's text, applying --set and finding its plugins: all that needs no plugin to be known.
#include <fmt/format.h>

#include "framework/core/recipe/base.h"
#include "framework/core/recipe/overrides.h"
#include "framework/core/recipe/recipe.h"
#include "framework/core/recipe/yaml.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

ParamInfo key(const char* name, ParamType type, const char* doc) {
  ParamInfo info;
  info.name = name;
  info.type = type;
  info.doc = doc;
  return info;
}

ParamInfo section(const char* name, const char* doc) {
  ParamInfo info = key(name, ParamType::value, doc);
  info.nullable = true;
  return info;
}

void find_plugins(RecipeSource& source) {
  const Value* plugins = source.root.find("plugins");
  if (plugins == nullptr || !plugins->is_list()) return;  // other types are reported with the rest of the recipe
  for (std::size_t i = 0; i < plugins->as_list().size(); ++i) {
    const Value& item = plugins->as_list()[i];
    if (!item.is_string()) continue;
    const fs::path file = (source.folder(item.mark) / item.as_string()).lexically_normal();
    std::error_code error;
    if (!fs::is_regular_file(file, error)) {
      source.problems.push_back({item.mark, fmt::format("plugins.{}", i), "no such file: " + file.string(), {}});
    } else {
      source.plugins.push_back(file);
    }
  }
}

}  // namespace

const std::vector<ParamInfo>& recipe_params() {
  static const std::vector<ParamInfo> infos = [] {
    std::vector<ParamInfo> out = {
        key("name", ParamType::string, "what the run is called"),
        key("base", ParamType::string, "another recipe, relative to this one, that this one changes and completes"),
        key("seed", ParamType::integer, "decides every random draw"),
        key("plugins", ParamType::strings, "plugin files beside the installed ones, relative to the recipe"),
        section("datasets", "named rows"),
        section("models", "named models to start from"),
        section("stages", "named steps"),
        section("sweep", "values to vary: an arm for each combination"),
    };
    out[0].required = true;
    out[1].nullable = true;
    out[2].default_value = 1;
    out[2].min = 0;
    out[3].default_value = Value(Value::List());
    return out;
  }();
  return infos;
}

fs::path RecipeSource::folder(Mark mark) const {
  const RecipeText::Place at = text.place(mark);
  const bool own = mark.line == 0 || at.text.data() == text.text.data();
  return (own ? file : fs::absolute(fs::path(at.file))).lexically_normal().parent_path();
}

RecipeSource read_recipe(const RecipeRequest& request) {
  RecipeSource source;
  source.file = fs::absolute(request.file).lexically_normal();
  source.text.file = request.file.string();
  source.files_may_be_absent = request.files_may_be_absent;
  source.devices_may_be_absent = request.devices_may_be_absent || request.files_may_be_absent;
  source.text.overrides = request.overrides;
  source.root = read_tree(request.file, source.text, source.problems);
  if (source.root.is_map()) {
    int number = 0;
    for (const std::string& option : request.overrides) apply_override(source.root, option, ++number, source.problems);
    find_plugins(source);
  }
  return source;
}

}  // namespace plumb
