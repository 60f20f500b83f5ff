// artifact.json: a manifest as data and back.
//
//   write_file(folder / manifest_name, to_json(manifest_value(manifest), false, 2) + "\n").value();
//
// Thread contract: [any].
#pragma once

#include "framework/artifacts/artifact.h"

namespace plumb {

inline constexpr const char* manifest_name = "artifact.json";

Value manifest_value(const ArtifactManifest& manifest);
ArtifactManifest manifest_from(const Value& value);  // throws Error that names what is missing or of another type

}  // namespace plumb
