// The declaration of a component's parameters.
#include <algorithm>
#include <cmath>

#include "plumb/error.h"
#include "sdk/check/context.h"

namespace plumb::check {
namespace {

void documented(Context& c) {
  require(!c.component->doc.empty(), "the component says nothing of what it does");
  for (const ParamInfo& info : c.component->params)
    require(!info.doc.empty(), "parameter " + info.name + " has no text");
}

enum class Answer { accepted, refused };

// Only Error(recipe) is a refusal.
Answer check(Context& c, const Value& params, const std::string& what) {
  try {
    c.component_entry().check(params);
    return Answer::accepted;
  } catch (const Error& error) {
    require(error.code() == ErrorCode::recipe, what + " is refused with another error than recipe: " + error.what());
    return Answer::refused;
  } catch (const std::exception&) {
    throw Failure{what + ": " + caught()};
  }
}

Value with(const Value& params, const std::string& key, Value value) {
  Value out = params;
  out.set(key, std::move(value));
  return out;
}

void rejects(Context& c) {
  const Value& base = c.params();
  const auto refused = [&](const std::string& key, const Value& value, const std::string& what) {
    require(check(c, with(base, key, value), what) == Answer::refused, what + " is accepted");
  };
  refused("no_such_parameter", 1, "an unknown parameter");
  for (const ParamInfo& info : c.component->params) {
    const std::string who = "parameter " + info.name;
    const bool number = info.type == ParamType::real || info.type == ParamType::integer;
    if (info.type != ParamType::value)
      refused(info.name, Value::map({{"a", Value::List()}}), who + ": a map of a list");
    if (number) refused(info.name, "text", who + ": a text");
    if (info.type == ParamType::choice) refused(info.name, "no such choice", who + ": an unknown choice");
    const auto as_number = [&](double v) {
      return info.type == ParamType::integer ? Value(static_cast<std::int64_t>(v)) : Value(v);
    };
    if (number && info.min) refused(info.name, as_number(*info.min - 1), who + ": less than its minimum");
    if (number && info.max) refused(info.name, as_number(*info.max + 1), who + ": more than its maximum");
  }
}

// A value within the declared limits, ends included where they belong.
Value drawn(const ParamInfo& info, Random& random) {
  const double low = info.min.value_or(info.max ? *info.max - 1000 : -1000);
  const double high = std::min(info.max.value_or(low + 2000), low + 1e6);
  if (info.nullable && random.below(8) == 0) return {};
  switch (info.type) {
    case ParamType::boolean:
      return random.below(2) == 1;
    case ParamType::integer: {
      const auto first = static_cast<std::int64_t>(info.min_open ? low + 1 : std::ceil(low));
      const auto last = static_cast<std::int64_t>(info.max_open ? std::ceil(high) - 1 : high);
      if (random.below(4) == 0 || last <= first) return first;
      return first + static_cast<std::int64_t>(
                         random.below(std::min<std::uint64_t>(1000, static_cast<std::uint64_t>(last - first)) + 1));
    }
    case ParamType::real: {
      if (random.below(6) == 0) return info.min_open ? std::nextafter(low, high) : low;
      const double reach = random.below(2) == 0 ? 1 : 1e-3;
      return low + (high - low) * reach * (1 - random.uniform());
    }
    case ParamType::choice:
      return info.choices[random.below(info.choices.size())];
    case ParamType::string:
      return random.below(2) == 0 ? "" : "ü text";
    default:
      return info.default_value;
  }
}

void random_values(Context& c) {
  Random random = c.random().derive("parameters");
  for (int i = 0; i < 60; ++i) {
    Value params = c.params();
    for (const ParamInfo& info : c.component->params) {
      const bool given = params.find(info.name) != nullptr;
      if (!given && !info.required && random.below(2) == 0) {
        if (Value value = drawn(info, random); !value.is_null()) params.set(info.name, std::move(value));
      }
    }
    const std::string what = "parameters " + to_json(params);
    if (check(c, params, what) == Answer::refused) continue;
    try {
      c.make(params);
    } catch (const Error&) {
      // it may refuse what only it can know, as long as it says so
    } catch (...) {
      throw Failure{what + ": " + caught()};
    }
  }
}

}  // namespace

std::vector<Test> parameter_tests() {
  return {
      {"parameters.documented", "the component and each parameter have a text", documented},
      {"parameters.rejects", "unknown names, wrong types and values out of range are refused", rejects},
      {"parameters.random", "values within the limits are accepted, or refused with plumb::Error", random_values},
  };
}

}  // namespace plumb::check
