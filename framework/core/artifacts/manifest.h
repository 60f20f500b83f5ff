// artifact.json: a manifest as data and back.
//
//   write_file(folder / manifest_name, manifest_text(manifest)).value();
//
// Thread contract: [any].
#pragma once

#include "framework/core/artifacts/artifact.h"

namespace plumb {

inline constexpr const char* manifest_name = "artifact.json";

// The file's text: the manifest and its own checksum, so that read_manifest notices when a byte of it changes.
std::string manifest_text(const ArtifactManifest& manifest);
Value manifest_value(const ArtifactManifest& manifest);

}  // namespace plumb
