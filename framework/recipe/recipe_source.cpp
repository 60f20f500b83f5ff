// Reading a recipe's text, applying --set and finding its plugins: all that needs no plugin to be known.
#include <fmt/format.h>

#include <fstream>

#include "framework/recipe/overrides.h"
#include "framework/recipe/recipe.h"
#include "framework/recipe/yaml.h"

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

std::string read_text(const fs::path& file, std::vector<Problem>& problems) {
  std::error_code error;
  const auto status = fs::status(file, error);
  if (!fs::exists(status) || fs::is_directory(status)) {
    problems.push_back({{}, {}, fs::is_directory(status) ? "is a folder; a recipe is a file" : "no such file", {}});
    return {};
  }
  std::ifstream in(file, std::ios::binary);
  std::string text(kYamlBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  if (in.bad() || (text.empty() && !in.eof())) problems.push_back({{}, {}, "cannot be read", {}});
  return text;
}

void find_plugins(RecipeSource& source) {
  const Value* plugins = source.root.find("plugins");
  if (plugins == nullptr || !plugins->is_list()) return;  // other types are reported with the rest of the recipe
  for (std::size_t i = 0; i < plugins->as_list().size(); ++i) {
    const Value& item = plugins->as_list()[i];
    if (!item.is_string()) continue;
    const fs::path file = (source.file.parent_path() / item.as_string()).lexically_normal();
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
        key("seed", ParamType::integer, "decides every random draw"),
        key("plugins", ParamType::strings, "plugin files beside the installed ones, relative to the recipe"),
        section("datasets", "named rows"),
        section("models", "named models to start from"),
        section("stages", "named steps"),
    };
    out[0].required = true;
    out[1].default_value = 1;
    out[1].min = 0;
    out[2].default_value = Value(Value::List());
    return out;
  }();
  return infos;
}

RecipeSource read_recipe(const RecipeRequest& request) {
  RecipeSource source;
  source.file = fs::absolute(request.file).lexically_normal();
  source.text = {request.file.string(), read_text(request.file, source.problems), request.overrides};
  if (!source.problems.empty()) return source;
  YamlDocument document = parse_yaml(source.text.text);
  if (source.text.text.starts_with("\xEF\xBB\xBF")) source.text.text.erase(0, 3);
  source.problems = std::move(document.problems);
  source.root = std::move(document.value);
  if (source.root.is_map()) {
    int number = 0;
    for (const std::string& option : request.overrides) apply_override(source.root, option, ++number, source.problems);
    find_plugins(source);
  } else if (source.problems.empty()) {
    source.problems.push_back({source.root.is_null() ? Mark{1, 1} : source.root.mark,
                               {},
                               fmt::format("found {}, wanted a map with the keys of a recipe: name, stages …",
                                           source.root.is_null() ? "nothing" : source.root.type_name()),
                               {}});
  }
  return source;
}

}  // namespace plumb
