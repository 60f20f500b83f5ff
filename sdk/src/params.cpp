#include "plumb/params.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "plumb/placement.h"
#include "plumb/text.h"
#include "plumb/utf8.h"

namespace plumb {
inline namespace v1 {
namespace {

std::string number_text(double number) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, number).ptr};
}

std::string quoted(const Value& value) {
  constexpr std::size_t limit = 60;
  if (value.is_map() || value.is_list() || value.is_null()) return value.type_name();
  if (value.type() == Value::Type::real && !std::isfinite(value.as_double())) return "a number that is not finite";
  std::string text = to_json(value);
  if (text.size() > limit) text = std::string(first_bytes(text, limit)) + "…";
  return std::string(value.type_name()) + " " + text;
}

std::string with_article(const std::string& noun) {
  return (noun.find_first_of("aeiou") == 0 ? "an " : "a ") + noun;
}

std::string range_text(const ParamInfo& info) {
  std::string out;
  if (info.min) out += (info.min_open ? "above " : "at least ") + number_text(*info.min);
  if (info.min && info.max) out += " and ";
  if (info.max) out += (info.max_open ? "below " : "at most ") + number_text(*info.max);
  return out;
}

// Walks declarations and values together. Each check returns the value in its one spelling; what it returns after an
// issue is not used.
class Checker {
 public:
  Value fields(const std::vector<ParamInfo>& infos, const Value& value, const std::string& path) {
    Value resolved = Value::map();
    resolved.mark = value.mark;
    resolved.key_mark = value.key_mark;
    if (!value.is_null() && !value.is_map()) {
      wrong(path, value, "a map of parameters");
      return resolved;
    }
    if (value.is_map()) refuse_unknown(infos, value.as_map(), path);
    for (const ParamInfo& info : infos) {
      const Value* given = value.find(info.name);
      const std::string here = path.empty() ? info.name : path + "." + info.name;
      if (given == nullptr) {
        if (info.required) add(here, value.mark, "required, but missing: " + info.doc);
        resolved.set(info.name, info.default_value);
      } else {
        Value checked = one(info, *given, here);
        checked.mark = given->mark;
        checked.key_mark = given->key_mark;
        resolved.set(info.name, std::move(checked));
      }
    }
    return resolved;
  }

  std::vector<ParamIssue> issues;

 private:
  void add(const std::string& path, Mark mark, std::string message, std::string suggestion = {}) {
    issues.push_back({path, mark, std::move(message), std::move(suggestion)});
  }

  void wrong(const std::string& path, const Value& value, const std::string& wanted) {
    add(path, value.mark, "found " + quoted(value) + ", wanted " + wanted);
  }

  void refuse_unknown(const std::vector<ParamInfo>& infos, const Value::Map& entries, const std::string& path) {
    std::vector<std::string> names;
    for (const ParamInfo& info : infos) names.push_back(info.name);
    for (const auto& [key, value] : entries) {
      if (std::find(names.begin(), names.end(), key) != names.end()) continue;
      std::vector<std::string> free;  // a suggestion that is already in use would make a duplicate
      for (const std::string& name : names) {
        if (std::none_of(entries.begin(), entries.end(), [&](const auto& e) { return e.key == name; }))
          free.push_back(name);
      }
      add(path.empty() ? key : path + "." + key, value.key_mark,
          names.empty() ? "unknown key; no key is allowed here" : "unknown key; allowed: " + joined(names),
          nearest_name(key, free));
    }
  }

  Value one(const ParamInfo& info, const Value& value, const std::string& path) {
    if (value.is_null()) {
      if (info.required) {
        add(path, value.mark, "required, but null: " + info.doc);
      } else if (!info.nullable) {
        wrong(path, value, wanted(info));
      }
      return {};
    }
    switch (info.type) {
      case ParamType::boolean:
        return expect(value.type() == Value::Type::boolean, info, value, path);
      case ParamType::integer:
        return integer(info, value, path);
      case ParamType::real:
        return real(info, value, path);
      case ParamType::string:
        return expect(value.is_string(), info, value, path);
      case ParamType::path:
      case ParamType::stage_input:
        return name(info, value, path);
      case ParamType::choice:
        return choice(info, value, path);
      case ParamType::component:
        return component(info, value, path);
      case ParamType::strings:
      case ParamType::integers:
      case ParamType::reals:
      case ParamType::stage_inputs:
      case ParamType::components:
        return list(info, value, path);
      case ParamType::value:
        return info.fields.empty() ? value : fields(info.fields, value, path);
    }
    return value;
  }

  static std::string wanted(const ParamInfo& info) {
    switch (info.type) {
      case ParamType::boolean:
        return "true or false";
      case ParamType::integer:
        return "an integer";
      case ParamType::real:
        return "a number";
      case ParamType::string:
        return "a string";
      case ParamType::path:
        return "a path";
      case ParamType::stage_input:
        return "the name of a stage, dataset or model";
      case ParamType::choice:
        return "one of " + joined(info.choices);
      case ParamType::component:
        return "the name of " + with_article(info.component_kind) + ", or a map with `name`";
      case ParamType::strings:
        return "a list of strings";
      case ParamType::integers:
        return "a list of integers";
      case ParamType::reals:
        return "a list of numbers";
      case ParamType::stage_inputs:
        return "a list of names of stages, datasets or models";
      case ParamType::components:
        return "a list of names of " + info.component_kind + " components, or of maps with `name`";
      case ParamType::value:
        return info.fields.empty() ? "a value" : "a map of parameters";
    }
    return "a value";
  }

  Value expect(bool good, const ParamInfo& info, const Value& value, const std::string& path) {
    if (!good) wrong(path, value, wanted(info));
    return value;
  }

  Value name(const ParamInfo& info, const Value& value, const std::string& path) {
    return expect(value.is_string() && !value.as_string().empty(), info, value, path);
  }

  Value choice(const ParamInfo& info, const Value& value, const std::string& path) {
    const bool string = value.is_string();
    if (!string || !is_choice(info.choices, value.as_string())) {
      add(path, value.mark, "found " + quoted(value) + ", wanted one of " + joined(info.choices),
          string ? nearest_name(value.as_string(), info.choices) : std::string());
    }
    return value;
  }

  Value integer(const ParamInfo& info, const Value& value, const std::string& path) {
    if (value.type() == Value::Type::integer) {
      in_range(info, static_cast<double>(value.as_int()), value, path);
    } else {
      wrong(path, value, wanted(info));
    }
    return value;
  }

  Value real(const ParamInfo& info, const Value& value, const std::string& path) {
    const bool number = value.type() == Value::Type::integer || value.type() == Value::Type::real;
    if (!number || !std::isfinite(value.as_double())) {
      wrong(path, value, number ? "a finite number" : wanted(info));
      return value;
    }
    in_range(info, value.as_double(), value, path);
    return value.as_double();
  }

  void in_range(const ParamInfo& info, double number, const Value& value, const std::string& path) {
    const bool low = info.min && (info.min_open ? number <= *info.min : number < *info.min);
    const bool high = info.max && (info.max_open ? number >= *info.max : number > *info.max);
    if (low || high) add(path, value.mark, "found " + number_text(number) + ", wanted " + range_text(info));
  }

  Value component(const ParamInfo& info, const Value& value, const std::string& path) {
    Value out = Value::map();
    if (value.is_string() && !value.as_string().empty()) {
      out.set("name", value).key_mark = value.key_mark;
      return out;
    }
    const Value* name = value.is_map() ? value.find("name") : nullptr;
    if (!value.is_map()) {
      wrong(path, value, wanted(info));
    } else if (name == nullptr) {
      add(path, value.mark, "`name` is missing: the name of " + with_article(info.component_kind));
    } else if (!name->is_string() || name->as_string().empty()) {
      wrong(path + ".name", *name, "the name of " + with_article(info.component_kind));
    } else {
      out.set("name", *name);
      for (const auto& [key, parameter] : value.as_map()) out.set(key, parameter);
    }
    return out;
  }

  Value list(const ParamInfo& info, const Value& value, const std::string& path) {
    if (!value.is_list()) {
      wrong(path, value, wanted(info));
      return value;
    }
    Value::List out;
    for (std::size_t i = 0; i < value.as_list().size(); ++i) {
      const Value& item = value.as_list()[i];
      out.push_back(this->item(info, item, path + "[" + std::to_string(i) + "]"));
      out.back().mark = item.mark;
    }
    return out;
  }

  Value item(const ParamInfo& info, const Value& value, const std::string& path) {
    ParamInfo single = info;
    switch (info.type) {
      case ParamType::integers:
        single.type = ParamType::integer;
        break;
      case ParamType::reals:
        single.type = ParamType::real;
        break;
      case ParamType::stage_inputs:
        single.type = ParamType::stage_input;
        break;
      case ParamType::components:
        single.type = ParamType::component;
        break;
      default:
        single.type = info.choices.empty() ? ParamType::string : ParamType::choice;
    }
    single.required = single.nullable = false;
    return one(single, value, path);
  }
};

// Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> table(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) table[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) table[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = table[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      table[i][j] = std::min({table[i - 1][j] + 1, table[i][j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        table[i][j] = std::min(table[i][j], table[i - 2][j - 2] + 1);
      }
    }
  }
  return table[a.size()][b.size()];
}

// Names are compared without case and with `_` and `-` alike: `learningRate`, `learning-rate` mean learning_rate.
std::string plain_spelling(std::string_view word) {
  std::string out;
  for (const char c : word) {
    if (c != '_' && c != '-' && c != ' ') out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

}  // namespace

std::vector<ParamIssue> check_params(const std::vector<ParamInfo>& infos, const Value& value, Value* resolved) {
  Checker checker;
  Value complete = checker.fields(infos, value, "");
  if (resolved != nullptr) *resolved = std::move(complete);
  return std::move(checker.issues);
}

std::string nearest_name(std::string_view word, const std::vector<std::string>& candidates) {
  constexpr std::size_t longest = 64;  // no name is longer; bounds the cost of hostile input
  if (word.size() > longest) return {};
  const std::string wanted = plain_spelling(word);
  const std::string* nearest = nullptr;
  std::size_t best = std::max<std::size_t>(1, wanted.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > 2 * longest) continue;
    const std::string spelling = plain_spelling(candidate);
    const std::size_t distance = edit_distance(wanted, spelling);
    if (distance < best && distance < spelling.size()) {
      best = distance;
      nearest = &candidate;
    }
  }
  return nearest == nullptr ? std::string() : *nearest;
}

namespace detail {

void throw_issues(const std::string& what, const std::vector<ParamIssue>& issues) {
  std::string message = what;
  for (const ParamIssue& issue : issues) {
    message += "\n  ";
    if (issue.mark.line > 0) {
      message += std::to_string(issue.mark.line) + ":" + std::to_string(issue.mark.column) + ": ";
    }
    if (!issue.path.empty()) message += issue.path + ": ";
    message += issue.message;
    if (!issue.suggestion.empty()) message += "; did you mean `" + issue.suggestion + "`?";
  }
  throw Error(ErrorCode::recipe, message);
}

ComponentRef ParamTraits<ComponentRef>::read(const Value& value) {
  if (value.is_string()) return {value.as_string(), Value::map()};
  ComponentRef out{value.at("name").as_string(), Value::map()};
  out.params.mark = value.mark;
  for (const auto& [key, parameter] : value.as_map()) {
    if (key != "name") out.params.set(key, parameter);
  }
  return out;
}

Value ParamTraits<ComponentRef>::write(const ComponentRef& ref) {
  if (ref.name.empty()) return {};
  Value out = Value::map({{"name", ref.name}});
  if (ref.params.is_null()) return out;
  for (const auto& [key, parameter] : ref.params.as_map()) out.set(key, parameter);
  return out;
}

}  // namespace detail
}  // namespace v1
}  // namespace plumb
