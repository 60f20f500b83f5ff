// Whether recipes that were valid for an earlier version still are, and still mean the same.
#include "sdk/check/schema_tests.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "sdk/check/context.h"

namespace plumb::check {
namespace {

std::string number(double value) {
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

class Comparison {
 public:
  void components(const std::vector<ComponentInfo>& before, const std::vector<ComponentInfo>& after) {
    for (const ComponentInfo& old : before) {
      const std::string who = old.kind.substr(0, old.kind.find('/')) + " " + old.name;
      const auto now = std::find_if(after.begin(), after.end(), [&](const ComponentInfo& info) {
        return info.kind == old.kind && info.name == old.name;
      });
      if (now == after.end()) {
        breaks.push_back(who + ": removed");
        continue;
      }
      gone(who + ": no longer takes ", old.takes, now->takes);
      gone(who + ": no longer yields ", old.yields, now->yields);
      gone(who + ": no longer claims ", old.claims, now->claims);
      gone(who + ": newly needs ", now->needs, old.needs);
      parameters(who + ": ", old.params, now->params);
    }
  }

  std::vector<std::string> breaks;

 private:
  void gone(const std::string& text, const std::vector<std::string>& from, const std::vector<std::string>& in) {
    for (const std::string& one : from) {
      if (std::find(in.begin(), in.end(), one) == in.end()) breaks.push_back(text + one);
    }
  }

  void parameters(const std::string& where, const std::vector<ParamInfo>& before, const std::vector<ParamInfo>& after) {
    const auto find = [](const std::vector<ParamInfo>& all, const std::string& name) {
      const auto at = std::find_if(all.begin(), all.end(), [&](const ParamInfo& info) { return info.name == name; });
      return at == all.end() ? nullptr : &*at;
    };
    for (const ParamInfo& old : before) {
      if (const ParamInfo* now = find(after, old.name)) {
        parameter(where + old.name, old, *now);
      } else {
        breaks.push_back(where + old.name + ": removed");
      }
    }
    for (const ParamInfo& now : after) {
      if (now.required && find(before, now.name) == nullptr) breaks.push_back(where + now.name + ": new and required");
    }
  }

  void parameter(const std::string& who, const ParamInfo& old, const ParamInfo& now) {
    const bool widened = old.type == ParamType::integer && now.type == ParamType::real;
    if (old.type != now.type && !widened) {
      breaks.push_back(who + ": type changed from " + param_type_name(old.type) + " to " + param_type_name(now.type));
      return;
    }
    range(who, old, now);
    if (now.required && !old.required) breaks.push_back(who + ": now required");
    if (old.nullable && !now.nullable) breaks.push_back(who + ": may no longer be null");
    if (!now.required && !old.required && to_json(old.default_value) != to_json(now.default_value)) {
      breaks.push_back(who + ": default changed from " + to_json(old.default_value) + " to " +
                       to_json(now.default_value));
    }
    if (old.unit != now.unit)
      breaks.push_back(who + ": unit changed from \"" + old.unit + "\" to \"" + now.unit + "\"");
    if (!now.choices.empty()) gone(who + ": no longer takes ", old.choices, now.choices);
    gone(who + ": no longer takes ", old.accepts, now.accepts);
    if (old.fields.empty() && !now.fields.empty()) breaks.push_back(who + ": takes only declared keys now");
    parameters(who + ".", old.fields, now.fields);
  }

  void range(const std::string& who, const ParamInfo& old, const ParamInfo& now) {
    const auto limit = [](const std::optional<double>& value, bool open, const char* sign) {
      return value ? std::string(sign) + (open ? " " : "= ") + number(*value) : std::string("none");
    };
    const bool min =
        now.min && (!old.min || *now.min > *old.min || (*now.min == *old.min && now.min_open && !old.min_open));
    const bool max =
        now.max && (!old.max || *now.max < *old.max || (*now.max == *old.max && now.max_open && !old.max_open));
    if (min) {
      breaks.push_back(who + ": range narrowed: lower limit was " + limit(old.min, old.min_open, ">") + ", is " +
                       limit(now.min, now.min_open, ">"));
    }
    if (max) {
      breaks.push_back(who + ": range narrowed: upper limit was " + limit(old.max, old.max_open, "<") + ", is " +
                       limit(now.max, now.max_open, "<"));
    }
  }
};

// What a semantic version may break: nothing within a major one, within 0.x nothing in a minor one.
std::string series(const std::string& version) {
  const std::size_t dot = version.find('.');
  const std::string major = version.substr(0, dot);
  if (major != "0" || dot == std::string::npos) return major;
  return version.substr(0, version.find('.', dot + 1));
}

}  // namespace

std::vector<std::string> schema_breaks(const std::vector<ComponentInfo>& before,
                                       const std::vector<ComponentInfo>& after) {
  Comparison comparison;
  comparison.components(before, after);
  return std::move(comparison.breaks);
}

void schema_compatible(Context& c) {
  const auto& earlier = c.options.earlier;
  if (!earlier) throw Skip{"no earlier version to compare with: give its schema with --against"};
  if (series(earlier->version) != series(c.subject.version)) {
    throw Skip{"version " + c.subject.version + " may break what was valid for " + earlier->version};
  }
  const auto breaks = schema_breaks(earlier->components, c.subject.components);
  std::string all;
  for (const std::string& one : breaks) all += (all.empty() ? "" : "; ") + one;
  require(breaks.empty(), "recipes for version " + earlier->version + " (" + earlier->source +
                              ") break or change their meaning without a new major version: " + all);
}

}  // namespace plumb::check
