// A plugin whose code runs in this process.
//
//   const Registrar& components = load_plugin(candidate);   // throws Error(plugin)
//
// Thread contract: load_plugin may be called from any thread, for one file by one thread at a time.
#pragma once

#include <memory>

#include "framework/core/registry/registry.h"

namespace plumb {

// Opens the library for good and lets it register. What it registers must be what its description says.
std::unique_ptr<Registrar> load_plugin(const PluginCandidate& candidate);

}  // namespace plumb
