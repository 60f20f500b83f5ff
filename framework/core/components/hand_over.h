// The one place where the folder of a stage's input becomes a component's `path` (StageKind::feeds).
//
//   hand_over(kind, registry, [&](const std::string& input) { return folder_of(input); }, params);
//   params.at("generator").at("path");          // the folder of the model, for a kind that feeds it so
//
// Thread contract: functions are [any].
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "framework/core/catalogue/stage.h"
#include "framework/core/registry/registry.h"

namespace plumb {

inline constexpr const char* kFedParam = "path";  // of a component

// The feed of the component that a stage chooses under `param`; null when the component reads no folder of an input.
const Feed* feed_of(const StageKind& kind, const ComponentInfo& component, const std::string& param);

// Fills `path` of the components in a stage's complete parameters. `folder`: of the artifact that an input names, or
// nothing where it is left out.
void hand_over(const StageKind& kind, const Registry& registry,
               const std::function<std::optional<std::string>(const std::string& input)>& folder, Value& params);

}  // namespace plumb
