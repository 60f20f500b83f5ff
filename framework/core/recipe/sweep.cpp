// Reading a sweep: which arms there are, what they are called, what each changes.
#include "framework/core/recipe/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>

#include "framework/core/recipe/overrides.h"
#include "framework/core/recipe/sweep_names.h"
#include "framework/core/recipe/yaml_scalar.h"

namespace plumb {
namespace {

const std::vector<ParamInfo>& sweep_params() {
  static const std::vector<ParamInfo> infos = [] {
    const auto key = [](const char* name, ParamType type) {
      ParamInfo info;
      info.name = name;
      info.type = type;
      info.nullable = true;
      return info;
    };
    std::vector<ParamInfo> out = {key("seeds", ParamType::integers), key("list", ParamType::value),
                                  key("zip", ParamType::value),      key("grid", ParamType::value),
                                  key("until", ParamType::strings),  key("baseline", ParamType::string),
                                  key("published", ParamType::value)};
    out[0].min = 0;
    return out;
  }();
  return infos;
}

// One step of a combination: what it is called and what it changes.
struct Option {
  std::string name;
  std::vector<Arm::Choice> choices;
};
using Axis = std::vector<Option>;

class Reader {
 public:
  Reader(const RecipeSource& source, std::vector<Problem>& problems) : source_(source), problems_(problems) {}

  std::optional<Sweep> read() {
    const Value* given = source_.root.is_map() ? source_.root.find("sweep") : nullptr;
    if (given == nullptr || given->is_null()) return std::nullopt;
    Sweep sweep;
    const auto issues = check_params(sweep_params(), *given);
    for (const ParamIssue& issue : issues) problems_.push_back(to_problem(issue, "sweep"));
    if (!issues.empty()) return sweep;
    const std::size_t before = problems_.size();
    find_keys(*given);
    std::vector<Axis> axes{seeds(*given), list(*given), zip(*given)};
    for (Axis& axis : grid(*given)) axes.push_back(std::move(axis));
    check_options(*given);
    if (problems_.size() == before) combine(axes, *given, sweep);
    if (const Value* until = given->find("until"); until != nullptr && until->is_list()) {
      for (const Value& stage : until->as_list()) sweep.until.push_back(stage.as_string());
    }
    if (problems_.size() == before) {
      read_baseline(*given, sweep);
      read_published(*given, sweep);
    }
    return sweep;
  }

 private:
  void complain(Mark mark, const std::string& key, std::string message, std::string nearest = {}) {
    problems_.push_back({mark, key.empty() ? "sweep" : "sweep." + key, std::move(message), std::move(nearest)});
  }

  // The entries of a map, or none after a complaint.
  const Value::Map& entries(const Value& sweep, const char* section, const char* wanted) {
    static const Value::Map none;
    const Value* map = sweep.find(section);
    if (map == nullptr || map->is_null()) return none;
    if (map->is_map() && !map->as_map().empty()) return map->as_map();
    complain(map->mark, section,
             fmt::format("found {}, wanted {}", map->is_map() ? "nothing" : map->type_name(), wanted));
    return none;
  }

  // A key stands in one place only: of two axes that set the same value one would have no effect.
  void find_keys(const Value& sweep) {
    for (const char* section : {"zip", "grid"}) {
      const Value* map = sweep.find(section);
      if (map == nullptr || !map->is_map()) continue;
      for (const auto& [key, values] : map->as_map()) {
        check_key(values.key_mark, fmt::format("{}.{}", section, key), key);
        if (!keys_.insert(key).second) {
          complain(values.key_mark, fmt::format("{}.{}", section, key), "stands in `zip` and in `grid`; keep one");
        }
      }
    }
    const Value* list = sweep.find("list");
    if (list == nullptr || !list->is_map()) return;
    for (const auto& [arm, values] : list->as_map()) {
      if (!values.is_map()) continue;
      for (const auto& [key, value] : values.as_map()) {
        const std::string shown = fmt::format("list.{}.{}", arm, key);
        check_key(value.key_mark, shown, key);
        if (keys_.count(key) != 0) {
          complain(value.key_mark, shown, "an axis of `zip` or `grid` sets this in every arm; keep one of the two");
        }
      }
    }
  }

  void check_key(Mark mark, const std::string& shown, const std::string& key) {
    const std::string section = key.substr(0, key.find('.'));
    if (!is_dotted_key(key)) {
      complain(mark, shown, "wanted a dotted key, such as stages.pairs.policy.eta");
    } else if (key == "seed") {
      complain(mark, shown, "seeds stand in `sweep.seeds`, so that results are averaged over them");
    } else if (section == "name" || section == "base" || section == "sweep" || section == "plugins") {
      complain(mark, shown, fmt::format("`{}` is the same in all arms; vary datasets, models and stages", section));
    }
  }

  Axis seeds(const Value& sweep) {
    Axis axis;
    const Value* given = sweep.find("seeds");
    if (given == nullptr || given->is_null()) return axis;
    if (given->as_list().empty()) complain(given->mark, "seeds", "the list is empty; name at least one seed");
    std::set<std::int64_t> seen;
    for (const Value& seed : given->as_list()) {
      if (!seen.insert(seed.as_int()).second)
        complain(seed.mark, "seeds", fmt::format("{} stands twice", seed.as_int()));
      axis.push_back({fmt::format("seed={}", seed.as_int()), {{"seed", "sweep.seeds", seed.mark, seed}}});
    }
    return axis;
  }

  Axis list(const Value& sweep) {
    Axis axis;
    for (const auto& [name, values] :
         entries(sweep, "list", "a map of arms, such as `low: {stages.pairs.policy.eta: 0.8}`")) {
      Option option{name, {}};
      if (!is_arm_name(name)) {
        complain(values.key_mark, "list." + name,
                 "names of arms have letters, digits, -, _ and ., begin with a letter or digit, and have at most 64");
      }
      if (!values.is_map() && !values.is_null()) {
        complain(
            values.mark, "list." + name,
            fmt::format("found {}, wanted a map of dotted keys and values; {{}} changes nothing", values.type_name()));
      } else if (values.is_map()) {
        for (const auto& [key, value] : values.as_map()) {
          option.choices.push_back({key, fmt::format("sweep.list.{}.{}", name, key), value.key_mark, value});
        }
      }
      axis.push_back(std::move(option));
    }
    return axis;
  }

  // The values of one key; empty after a complaint.
  Value::List values_of(const char* section, const std::string& key, const Value& values) {
    const std::string shown = fmt::format("{}.{}", section, key);
    if (!values.is_list() || values.as_list().empty()) {
      complain(
          values.mark, shown,
          fmt::format("found {}, wanted a list of values", values.is_list() ? "an empty list" : values.type_name()));
      return {};
    }
    for (auto value = values.as_list().begin(); value != values.as_list().end(); ++value) {
      if (std::string(section) == "grid" && std::find(values.as_list().begin(), value, *value) != value) {
        complain(value->mark, shown, "stands twice in this list");
      }
    }
    return values.as_list();
  }

  std::vector<std::string> names_of(const Value::Map& axes) {
    std::vector<std::string> keys;
    for (const auto& axis : axes) keys.push_back(axis.key);
    return short_names(keys);
  }

  Axis zip(const Value& sweep) {
    Axis axis;
    const auto& axes = entries(sweep, "zip", "a map of dotted keys with lists of values");
    const auto names = names_of(axes);
    for (std::size_t a = 0; a < axes.size(); ++a) {
      const auto& [key, values] = axes[a];
      const Value::List items = values_of("zip", key, values);
      if (items.empty()) continue;
      if (axis.empty()) axis.resize(items.size());
      if (axis.size() != items.size()) {
        complain(
            values.mark, "zip." + key,
            fmt::format("has {} values, `{}` has {}; a zip takes one of each", items.size(), axes[0].key, axis.size()));
        continue;
      }
      for (std::size_t i = 0; i < items.size(); ++i) {
        axis[i].name += fmt::format("{}{}={}", axis[i].name.empty() ? "" : ",", names[a], spelled(items[i], i));
        axis[i].choices.push_back({key, "sweep.zip." + key, values.key_mark, items[i]});
      }
    }
    return axis;
  }

  std::vector<Axis> grid(const Value& sweep) {
    std::vector<Axis> out;
    const auto& axes = entries(sweep, "grid", "a map of dotted keys with lists of values");
    const auto names = names_of(axes);
    for (std::size_t a = 0; a < axes.size(); ++a) {
      Axis axis;
      const Value::List items = values_of("grid", axes[a].key, axes[a].value);
      for (std::size_t i = 0; i < items.size(); ++i) {
        axis.push_back({fmt::format("{}={}", names[a], spelled(items[i], i)),
                        {{axes[a].key, "sweep.grid." + axes[a].key, axes[a].value.key_mark, items[i]}}});
      }
      out.push_back(std::move(axis));
    }
    return out;
  }

  // --set replaces a value in every arm; on a varied one it would leave arms that are the same.
  void check_options(const Value& sweep) {
    const Value* given_seeds = sweep.find("seeds");
    for (std::size_t i = 0; i < source_.text.overrides.size(); ++i) {
      const std::string key = key_of_override(source_.text.overrides[i]);
      const Mark mark{0, static_cast<int>(i) + 1};
      if (key == "seed" && given_seeds != nullptr && !given_seeds->is_null()) {
        problems_.push_back({mark, key, "the sweep sets the seed; --set sweep.seeds=[1] replaces its seeds", {}});
      }
      for (const std::string& axis : keys_) {
        if (axis == key || axis.starts_with(key + ".")) {
          problems_.push_back({mark, key, fmt::format("the sweep varies `{}`; run one arm with --arm", axis), {}});
        }
      }
    }
  }

  void combine(const std::vector<Axis>& axes, const Value& given, Sweep& sweep) {
    std::size_t count = 1, varied = 0;
    for (const Axis& axis : axes) {
      if (axis.empty()) continue;
      ++varied;
      count *= axis.size();
      if (count > kArms) return complain(given.mark, "", fmt::format("more than {} arms; vary fewer values", kArms));
    }
    if (varied == 0) return complain(given.key_mark, "", "nothing varies; give seeds, grid, zip or list");
    for (std::size_t number = 0; number < count; ++number) sweep.arms.push_back(arm(axes, number, count));
    std::set<std::string> names;
    for (const Arm& arm : sweep.arms) {
      if (!names.insert(arm.name).second) {
        return complain(given.key_mark, "", fmt::format("two arms are called `{}`; name them in `list`", arm.name));
      }
      if (arm.name.size() > 200) {
        return complain(given.key_mark, "",
                        fmt::format("`{}` is too long for a folder; name arms in `list`", arm.name));
      }
    }
  }

  // The digits of `number`, the last axis changing fastest.
  Arm arm(const std::vector<Axis>& axes, std::size_t number, std::size_t count) {
    Arm out;
    const Option* seed = nullptr;
    for (const Axis& axis : axes) {
      if (axis.empty()) continue;
      count /= axis.size();
      const Option& option = axis[number / count];
      number %= count;
      if (&axis == &axes.front()) {
        seed = &option;
        continue;
      }
      out.row += (out.row.empty() ? "" : ",") + option.name;
      out.choices.insert(out.choices.end(), option.choices.begin(), option.choices.end());
    }
    out.name = out.row;
    if (seed != nullptr) {
      out.name += (out.row.empty() ? "" : ",") + seed->name;
      out.seed = static_cast<std::uint64_t>(seed->choices[0].value.as_int());
      out.choices.push_back(seed->choices[0]);
    }
    if (out.row.empty()) out.row = "all";
    return out;
  }

  static std::vector<std::string> rows_of(const Sweep& sweep) {
    std::vector<std::string> rows;
    for (const Arm& arm : sweep.arms) {
      if (std::find(rows.begin(), rows.end(), arm.row) == rows.end()) rows.push_back(arm.row);
    }
    return rows;
  }

  void check_row(Mark mark, const std::string& shown, const std::string& row, const std::vector<std::string>& rows) {
    if (std::find(rows.begin(), rows.end(), row) != rows.end()) return;
    complain(mark, shown, fmt::format("no arm is called `{}`; there are: {}", row, fmt::join(rows, ", ")),
             nearest_name(row, rows));
  }

  void read_baseline(const Value& given, Sweep& sweep) {
    const Value* baseline = given.find("baseline");
    if (baseline == nullptr || !baseline->is_string()) return;
    sweep.baseline = baseline->as_string();
    check_row(baseline->mark, "baseline", sweep.baseline, rows_of(sweep));
  }

  // {source: TEXT, rows: {ROW: {MEASURE: NUMBER}}}
  void read_published(const Value& given, Sweep& sweep) {
    const Value* published = given.find("published");
    if (published == nullptr || published->is_null()) return;
    const Value* rows = published->is_map() ? published->find("rows") : nullptr;
    if (rows == nullptr || !rows->is_map()) {
      complain(published->mark, "published", "wanted `{source: TEXT, rows: {ROW: {MEASURE: NUMBER}}}`");
      return;
    }
    for (const auto& [key, value] : published->as_map()) {
      if (key == "source" && !value.is_string()) complain(value.mark, "published.source", "wanted a text");
      if (key != "source" && key != "rows") {
        complain(value.key_mark, "published." + key, "unknown key; there are: source, rows",
                 nearest_name(key, {"source", "rows"}));
      }
    }
    const std::vector<std::string> names = rows_of(sweep);
    for (const auto& [row, numbers] : rows->as_map()) {
      const std::string shown = "published.rows." + row;
      check_row(numbers.key_mark, shown, row, names);
      if (!numbers.is_map()) {
        complain(numbers.mark, shown, "wanted a map from measures to numbers, such as `{MT-Bench: 5.12}`");
        continue;
      }
      for (const auto& [measure, number] : numbers.as_map()) {
        const bool fits = number.type() == Value::Type::real || number.type() == Value::Type::integer;
        if (!fits) complain(number.mark, shown + "." + measure, "wanted a number");
      }
    }
    sweep.published = *published;
  }

  const RecipeSource& source_;
  std::vector<Problem>& problems_;
  std::set<std::string> keys_;  // of zip and grid
};

}  // namespace

std::optional<Sweep> read_sweep(const RecipeSource& source, std::vector<Problem>& problems) {
  return Reader(source, problems).read();
}

Value tree_of(const RecipeSource& source, const Arm& arm, std::vector<Problem>& problems) {
  Value root = source.root;
  for (const Arm::Choice& choice : arm.choices) {
    apply_value(root, choice.key, choice.value, choice.mark, choice.shown, problems);
  }
  for (std::size_t i = 0; i < source.text.overrides.size(); ++i) {
    const std::string& option = source.text.overrides[i];
    if (key_of_override(option).starts_with("sweep")) continue;
    // What is wrong with an option in the recipe itself was said when it was read.
    const auto wrong = [&](const Problem& p) { return p.mark == Mark{0, static_cast<int>(i) + 1}; };
    if (std::any_of(source.problems.begin(), source.problems.end(), wrong)) continue;
    apply_override(root, option, static_cast<int>(i) + 1, problems);
  }
  return root;
}

}  // namespace plumb
