// Opens plugins and runs their components' own parameter rules in a process that may crash, exit or hang without harm:
// what ends it is found on the plugin that was being asked, and the rest is asked in a new process.
//
//   const auto findings = examine({{registry.find("optimizer", "dpo"), Value::map({{"beta", 0.1}})}});
//   if (findings[0].what == Finding::What::rule) … findings[0].message
//
// Thread contract: [any]; each call has processes of its own. The calling thread must live until it returns.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "framework/core/registry/registry.h"

namespace plumb {

struct Examination {
  const KnownComponent* component;  // of a plugin that is in use
  std::optional<Value> params;      // complete; absent: only whether the plugin opens
};

struct Finding {
  enum class What {
    nothing,
    rule,   // the component refuses these parameters
    plugin  // the plugin cannot be opened, or its code crashed, exited, hung or threw something else
  };
  What what = What::nothing;
  std::string message;
};

// A finding for each, in their order. A plugin that failed once is not asked again: its further components have no
// findings. Throws Error(plugin) when the program that plugins run in is missing, Error(run_failed) when no process can
// be started.
std::vector<Finding> examine(const std::vector<Examination>& subjects);

}  // namespace plumb
