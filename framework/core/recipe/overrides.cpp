#include "framework/core/recipe/overrides.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "framework/core/catalogue/stage.h"
#include "framework/core/recipe/foreign_keys.h"
#include "framework/core/recipe/yaml.h"
#include "plumb/text.h"

namespace plumb {
namespace {

struct Unknown {
  std::string message, nearest;
};

std::vector<std::string> split(const std::string& key) {
  std::vector<std::string> out(1);
  for (char c : key) {
    if (c == '.') {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  return out;
}

void mark_all(Value& value, Mark mark) {
  value.mark = value.key_mark = mark;
  if (value.is_list()) {
    for (Value& item : value.as_list()) mark_all(item, mark);
  } else if (value.is_map()) {
    for (auto& entry : value.as_map()) mark_all(entry.value, mark);
  }
}

std::vector<std::string> names_of(const std::vector<ParamInfo>& infos) {
  std::vector<std::string> out;
  for (const ParamInfo& info : infos) out.push_back(info.name);
  return out;
}

std::vector<std::string> keys_of(const Value& map) {
  std::vector<std::string> out;
  for (const auto& entry : map.as_map()) out.push_back(entry.key);
  return out;
}

std::string listed(const std::vector<std::string>& names) {
  return names.empty() ? "none" : joined(names);
}

// Walks down the key. Throws Unknown where it leads nowhere.
class Walk {
 public:
  Walk(std::vector<std::string> key, Value value, Mark mark)
      : key_(std::move(key)), value_(std::move(value)), mark_(mark) {}

  void recipe(Value& root) {
    const std::string& section = key_[0];
    const auto names = names_of(recipe_params());
    if (std::find(names.begin(), names.end(), section) == names.end()) {
      throw Unknown{"unknown key; allowed: " + listed(names), nearest_name(section, names)};
    }
    if (kind_of_section(section) == nullptr && section != StageKind{}.section) return into(root, 0);
    if (last(0)) return put(root, section);
    Value* entries = root.find(section);
    Value* entry = entries != nullptr && entries->is_map() ? entries->find(key_[1]) : nullptr;
    if (entry == nullptr) {
      const auto known = entries != nullptr && entries->is_map() ? keys_of(*entries) : std::vector<std::string>();
      throw Unknown{fmt::format("`{}` does not exist; {}: {}", key_[1], section, listed(known)),
                    nearest_name(key_[1], known)};
    }
    if (last(1)) return put(*entries, key_[1]);
    if (!entry->is_map()) throw Unknown{fmt::format("{} is no map", dotted(2)), ""};
    const StageKind* kind = kind_of(section, *entry);
    if (kind == nullptr || (section == "stages" && key_[2] == "stage")) return into(*entry, 2);
    declared(kind->params, *entry, 2);
  }

 private:
  [[nodiscard]] bool last(std::size_t at) const { return at + 1 == key_.size(); }
  [[nodiscard]] std::string dotted(std::size_t count) const {
    return fmt::format("{}", fmt::join(key_.begin(), key_.begin() + static_cast<std::ptrdiff_t>(count), "."));
  }

  // Of a stage's key: other tools' names and other places are told.
  [[nodiscard]] Unknown unknown(const std::vector<ParamInfo>& infos, const std::vector<std::string>& names,
                                std::size_t at) const {
    ParamIssue issue{key_[at], {}, "unknown key; allowed: " + listed(names), nearest_name(key_[at], names)};
    explain_unknown(issue, infos);
    return {issue.message, issue.suggestion};
  }

  static const StageKind* kind_of(const std::string& section, const Value& entry) {
    if (const StageKind* only = kind_of_section(section)) return only;
    const Value* kind = entry.find("stage");
    return kind != nullptr && kind->is_string() ? find_stage_kind(kind->as_string()) : nullptr;
  }

  void put(Value& map, const std::string& key) { map.set(key, value_); }

  // Key number `at` names a declared parameter of `map`.
  void declared(const std::vector<ParamInfo>& infos, Value& map, std::size_t at) {
    const auto names = names_of(infos);
    const auto info = std::find_if(infos.begin(), infos.end(), [&](const ParamInfo& i) { return i.name == key_[at]; });
    if (info == infos.end()) throw unknown(infos, names, at);
    if (last(at)) return put(map, key_[at]);
    Value* found = map.find(key_[at]);
    if (found == nullptr || found->is_null()) {
      found = &map.set(key_[at], info->default_value);
      mark_all(*found, mark_);
    }
    switch (info->type) {
      case ParamType::component:
        return component(*found, at + 1);
      case ParamType::components:
        if (!found->is_list()) break;
        if (last(at + 1)) return into(map, at);
        return component(item(*found, at + 1), at + 2);
      case ParamType::value:
        if (found->is_null()) mark_all(*found = Value::map(), mark_);
        if (!found->is_map()) break;
        return info->fields.empty() ? into(*found, at + 1) : declared(info->fields, *found, at + 1);
      case ParamType::strings:
      case ParamType::integers:
      case ParamType::reals:
      case ParamType::stage_inputs:
        if (!found->is_list()) break;
        return into(map, at);
      default:
        break;
    }
    throw no_parts(*found, at);
  }

  // Turns the short form of a component into the long one, then goes on among its parameters. Those are checked later,
  // by who knows the plugins.
  void component(Value& value, std::size_t at) {
    if (value.is_string()) {
      Value name = value;
      Value expanded = Value::map();
      expanded.mark = value.mark;
      expanded.key_mark = value.key_mark;
      expanded.set("name", std::move(name));
      value = std::move(expanded);
    }
    if (value.is_null()) mark_all(value = Value::map(), mark_);
    if (!value.is_map()) throw no_parts(value, at - 1);
    if (last(at)) return put(value, key_[at]);
    into(value, at);
  }

  // Key number `at` names something in a tree without declarations: all of it but the last must exist.
  void into(Value& node, std::size_t at) {
    if (node.is_list()) {
      Value& found = item(node, at);
      if (!last(at)) return into(found, at + 1);
      found = value_;
      return;
    }
    if (!node.is_map()) throw no_parts(node, at - 1);
    if (last(at)) return put(node, key_[at]);
    Value* found = node.find(key_[at]);
    if (found == nullptr) {
      throw Unknown{fmt::format("`{}` does not exist; allowed: {}", key_[at], listed(keys_of(node))),
                    nearest_name(key_[at], keys_of(node))};
    }
    into(*found, at + 1);
  }

  Value& item(Value& list, std::size_t at) {
    std::size_t index = 0;
    const std::string& text = key_[at];
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
    const std::size_t size = list.as_list().size();
    if (error != std::errc() || end != text.data() + text.size() || index >= size) {
      throw Unknown{size == 0 ? fmt::format("{} is an empty list", dotted(at))
                              : fmt::format("{} is a list; its items are 0 to {}", dotted(at), size - 1),
                    ""};
    }
    return list.as_list()[index];
  }

  [[nodiscard]] Unknown no_parts(const Value& value, std::size_t at) const {
    return {fmt::format("{} is of type {}; there is nothing inside it to set", dotted(at + 1), value.type_name()), ""};
  }

  std::vector<std::string> key_;
  Value value_;
  Mark mark_;
};

// Sets the value of a dotted key, or says why that cannot be.
void set_value(Value& root, const std::string& key, Value value, Mark mark, std::vector<Problem>& problems,
               const std::string& shown) {
  try {
    Value changed = root;
    Walk(split(key), std::move(value), mark).recipe(changed);
    root = std::move(changed);
  } catch (const Unknown& unknown) {
    problems.push_back({mark, shown, unknown.message, unknown.nearest});
  }
}

}  // namespace

bool is_dotted_key(const std::string& key) {
  const auto segments = split(key);
  return std::none_of(segments.begin(), segments.end(), [](const std::string& s) { return s.empty(); });
}

std::string key_of_override(const std::string& option) {
  return option.substr(0, option.find('='));
}

void apply_override(Value& root, const std::string& option, int number, std::vector<Problem>& problems) {
  const Mark mark{0, number};
  const auto equals = option.find('=');
  const std::string key = key_of_override(option);
  if (equals == std::string::npos || !is_dotted_key(key)) {
    problems.push_back({mark, {}, "--set wants KEY=VALUE with a dotted key, such as stages.pairs.policy.eta=0.9", {}});
    return;
  }
  YamlDocument document = parse_yaml(option.substr(equals + 1));
  for (const Problem& problem : document.problems) problems.push_back({mark, key, problem.message, {}});
  if (!document.problems.empty()) return;
  mark_all(document.value, mark);
  set_value(root, key, std::move(document.value), mark, problems, key);
}

void apply_value(Value& root, const std::string& key, Value value, Mark mark, const std::string& shown,
                 std::vector<Problem>& problems) {
  value.key_mark = mark;
  set_value(root, key, std::move(value), mark, problems, shown);
}

}  // namespace plumb
