// Which components of a recipe run in a process of their own, and how that is written:
//
//   judge: {name: my-judge, isolation: process, call_timeout: 60}
//
//   IsolationChoice choice = isolation_choice(known.info, params);     // params as the recipe gives them
//   Value own = without_isolation(known.info, params);                 // what the component declared
//
// The two keys stand beside the component's own and are no part of its declaration. They change where it runs and never
// what comes out, so they are no part of what a stage is cached by. A component that declares a parameter `isolation`
// of its own keeps it and cannot be isolated; one that declares `call_timeout` keeps that and has the default here.
// Thread contract: [any].
#pragma once

#include <string>
#include <vector>

#include "plumb/registrar.h"

namespace plumb {

struct IsolationChoice {
  bool process = false;
  double call_timeout = 600;  // seconds without a sign of life after which a call counts as hung
};

// Judges, evaluators and selection policies: their calls take and give plain data.
bool may_be_isolated(const ComponentInfo& info);

// Declarations of the keys that may stand beside this component's own; empty when it cannot be isolated.
std::vector<ParamInfo> isolation_params(const ComponentInfo& info);

// What does not fit the declarations above reads as its default.
IsolationChoice isolation_choice(const ComponentInfo& info, const Value& params);
Value without_isolation(const ComponentInfo& info, const Value& params);

inline constexpr const char* kIsolationKey = "isolation";
inline constexpr const char* kCallTimeoutKey = "call_timeout";

}  // namespace plumb
