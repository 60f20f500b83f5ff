#include "framework/core/components/choice.h"

#include <algorithm>

#include "plumb/evaluator.h"
#include "plumb/judge.h"
#include "plumb/selection_policy.h"

namespace plumb {
namespace {

struct Keys {
  std::string isolation;
  double call_timeout = IsolationChoice{}.call_timeout;
};

bool declares(const ComponentInfo& info, const std::string& key) {
  return std::any_of(info.params.begin(), info.params.end(), [&](const ParamInfo& own) { return own.name == key; });
}

bool is_isolation_key(const ComponentInfo& info, const std::string& key) {
  const std::vector<ParamInfo> keys = isolation_params(info);
  return std::any_of(keys.begin(), keys.end(), [&](const ParamInfo& known) { return known.name == key; });
}

}  // namespace

bool may_be_isolated(const ComponentInfo& info) {
  return info.kind == Judge::kind || info.kind == Evaluator::kind || info.kind == SelectionPolicy::kind;
}

std::vector<ParamInfo> isolation_params(const ComponentInfo& info) {
  if (!may_be_isolated(info) || declares(info, kIsolationKey)) return {};
  Params<Keys> keys{"where a component runs"};
  keys.add(&Keys::isolation, kIsolationKey,
           "process: in a process of its own, so that a crash or a hang costs one call and not the run")
      .choices({"none", "process"});
  if (!declares(info, kCallTimeoutKey)) {
    keys.add(&Keys::call_timeout, kCallTimeoutKey,
             "with isolation: process, how long a call may go on without a sign of life")
        .above(0)
        .at_most(31536000)
        .unit("s");
  }
  std::vector<ParamInfo> infos = keys.infos();
  infos.front().default_value = "none";
  return infos;
}

IsolationChoice isolation_choice(const ComponentInfo& info, const Value& params) {
  IsolationChoice choice;
  for (const ParamInfo& key : isolation_params(info)) {
    const Value* given = params.find(key.name);
    if (given == nullptr) continue;
    if (key.name == kIsolationKey) choice.process = *given == Value("process");
    const bool number = given->type() == Value::Type::real || given->type() == Value::Type::integer;
    if (key.name == kCallTimeoutKey && number) choice.call_timeout = given->as_double();
  }
  return choice;
}

Value without_isolation(const ComponentInfo& info, const Value& params) {
  if (!params.is_map()) return params;
  Value own = params;
  std::erase_if(own.as_map(), [&](const Value::Entry& entry) { return is_isolation_key(info, entry.key); });
  return own;
}

}  // namespace plumb
