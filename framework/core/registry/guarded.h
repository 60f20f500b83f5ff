// The plugin boundary: whatever a plugin throws becomes an Error that says whose it is.
//
//   auto made = guarded("judge `gold` of org.example.gold 1.0.0", "evaluation", [&] { return entry.make(params, …); });
//
// Components that the framework has made guard their calls themselves (components/made.h); this is for what comes before
// there is one. Thread contract: [any].
#pragma once

#include <string>

namespace plumb {

// Inside a catch block: throws what was caught as an Error that names the component and, unless empty, the stage, each
// once. An Error keeps its code, out of memory is run_failed, anything else is plugin. What is no fault (Cancelled)
// goes on unchanged.
[[noreturn]] void rethrow_as_plugin_error(const std::string& component, const std::string& stage);

// Calls a plugin's code and turns whatever it throws into an Error that names the component and the stage.
template <class F>
auto guarded(const std::string& component, const std::string& stage, F&& call) -> decltype(call()) {
  try {
    return call();
  } catch (...) {
    rethrow_as_plugin_error(component, stage);
  }
}

}  // namespace plumb
