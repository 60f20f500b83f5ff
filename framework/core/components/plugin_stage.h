// Stage kinds that plugins provide (plumb/stage.h), as the framework's own kinds are described.
//
//   if (const KnownComponent* known = registry.find("stage", "filter-responses")) {
//     const StageKind kind = plugin_stage_kind(*known, "filter-responses", registry);   // its body makes the component
//   }
//
// Their rows are saved block by block in the work folder, so that an interrupted stage goes on.
// Thread contract: plugin_stage_kind is [any]; a body runs in one thread.
#pragma once

#include <string>

#include "framework/core/catalogue/stage.h"
#include "framework/core/registry/registry.h"

namespace plumb {

// The parameter under which a stage of a plugin has its own component among StageSpec::components.
inline constexpr const char* kStageComponent = "stage";

// `name`: as the recipe spells it; `registry`: that which knows it.
StageKind plugin_stage_kind(const KnownComponent& known, const std::string& name, const Registry& registry);

}  // namespace plumb
