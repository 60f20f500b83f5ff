#include "framework/core/recipe/base.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "framework/core/recipe/yaml.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

// What cannot be read is a problem at `mark`: where the file is named.
std::string read_text(const fs::path& file, Mark mark, const std::string& key, std::vector<Problem>& problems) {
  std::error_code error;
  const auto status = fs::status(file, error);
  const std::string subject = key.empty() ? "" : file.string() + " ";
  if (!fs::exists(status) || fs::is_directory(status)) {
    const std::string what = fs::is_directory(status) ? subject + "is a folder; a recipe is a file"
                             : error && status.type() == fs::file_type::none
                                 ? subject + "cannot be read: " + error.message()
                             : key.empty() ? "no such file"
                                           : "no such file: " + file.string();
    problems.push_back({mark, key, what, {}});
    return {};
  }
  std::ifstream in(file, std::ios::binary);
  std::string text(kYamlBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  if (in.bad() || (text.empty() && !in.eof())) problems.push_back({mark, key, subject + "cannot be read", {}});
  return text;
}

void shift(Mark& mark, int lines) {
  if (mark.line > 0) mark.line += lines;
}

void shift(Value& value, int lines) {
  shift(value.mark, lines);
  shift(value.key_mark, lines);
  if (value.is_list()) {
    for (Value& item : value.as_list()) shift(item, lines);
  } else if (value.is_map()) {
    for (auto& entry : value.as_map()) shift(entry.value, lines);
  }
}

void erase(Value& map, std::string_view key) {
  auto& entries = map.as_map();
  entries.erase(
      std::remove_if(entries.begin(), entries.end(), [&](const Value::Entry& entry) { return entry.key == key; }),
      entries.end());
}

// Whether `own` says that it is something else than `base`.
bool names_itself_anew(const Value& base, const Value& own) {
  for (const char* key : {"name", "stage"}) {
    const Value *was = base.find(key), *is = own.find(key);
    if (is != nullptr && was != nullptr && !(*is == *was)) return true;
  }
  return false;
}

// Parses one file whose lines are counted from `lines_before`.
Value parse(std::string& text, int lines_before, std::vector<Problem>& problems) {
  YamlDocument document = parse_yaml(text);
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  for (Problem& problem : document.problems) {
    shift(problem.mark, lines_before);
    problems.push_back(std::move(problem));
  }
  shift(document.value, lines_before);
  if (!document.value.is_map() && document.problems.empty()) {
    Mark mark = document.value.is_null() ? Mark{lines_before + 1, 1} : document.value.mark;
    problems.push_back({mark,
                        {},
                        fmt::format("found {}, wanted a map with the keys of a recipe: name, stages …",
                                    document.value.is_null() ? "nothing" : document.value.type_name()),
                        {}});
  }
  return std::move(document.value);
}

// Links followed, where that is possible: a name may be longer than any file's.
fs::path resolved(const fs::path& file) {
  std::error_code error;
  fs::path out = fs::weakly_canonical(file, error);
  return error ? fs::absolute(file).lexically_normal() : out;
}

// The file that `root` names as its base; empty when there is none to read.
fs::path base_of(const Value& root, const fs::path& file) {
  const Value* base = root.is_map() ? root.find("base") : nullptr;
  if (base == nullptr || !base->is_string()) return {};
  return (file.parent_path() / base->as_string()).lexically_normal();
}

}  // namespace

Value merged(Value base, const Value& own) {
  if (base.is_string() && own.is_map() && own.find("name") == nullptr) {
    Value component = Value::map({});
    component.mark = base.mark;
    component.key_mark = base.key_mark;
    component.set("name", std::move(base));
    base = std::move(component);
  }
  if (!base.is_map() || !own.is_map() || names_itself_anew(base, own)) return own;
  for (const auto& [key, value] : own.as_map()) {
    const Value* was = base.find(key);
    if (was != nullptr && value.is_null()) {
      erase(base, key);
    } else {
      base.set(key, was == nullptr ? value : merged(*was, value));
    }
  }
  base.mark = own.mark;
  base.key_mark = own.key_mark;
  return base;
}

Value read_tree(const fs::path& file, RecipeText& text, std::vector<Problem>& problems) {
  text.text = read_text(file, {}, {}, problems);
  if (!problems.empty()) return {};
  Value own = parse(text.text, 0, problems);
  std::vector<fs::path> seen{resolved(file)};
  std::vector<Value> trees;
  trees.push_back(std::move(own));
  for (fs::path next = base_of(trees.back(), file); !next.empty(); next = base_of(trees.back(), next)) {
    const Mark mark = trees.back().at("base").mark;
    const fs::path known = resolved(next);
    const bool again = std::find(seen.begin(), seen.end(), known) != seen.end();
    std::string read = again ? "" : read_text(next, mark, "base", problems);
    if (again) problems.push_back({mark, "base", fmt::format("{} is based on itself", next.string()), {}});
    if (seen.size() > kBases) {
      problems.push_back({mark, "base", fmt::format("more than {} recipes, each based on the next", kBases), {}});
    }
    // Without its base most of a recipe would look wrong: the rest waits until this is right.
    if (!problems.empty() && problems.back().key == "base") return {};
    seen.push_back(known);
    const int lines_before = text.lines();
    trees.push_back(parse(read, lines_before, problems));
    text.bases.push_back({next.string(), std::move(read), lines_before});
    if (!trees.back().is_map()) return {};
  }
  Value out = std::move(trees.back());
  for (auto tree = std::next(trees.rbegin()); tree != trees.rend(); ++tree) {
    // A recipe has a name of its own, or the two would share a run's folder.
    erase(out, "name");
    erase(out, "base");
    out = merged(std::move(out), *tree);
  }
  return out;
}

}  // namespace plumb
