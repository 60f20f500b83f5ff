// One plugin file: everything that can be said of it without running its code.
//
//   PluginCandidate candidate = inspect_plugin("/home/me/plugins/reward-gap.plumb.so");
//   if (!candidate.refused.empty()) …
//
// Thread contract: functions of the file system; [any].
#pragma once

#include <filesystem>
#include <string>

#include "framework/core/registry/registry.h"

namespace plumb {

// Checks, in this order: the file's name, kind and permissions; its note; the fingerprint; the description beside it.
PluginCandidate inspect_plugin(const std::filesystem::path& file);

// NAME.schema.json for NAME.plumb.so.
std::filesystem::path schema_file(const std::filesystem::path& plugin);

inline constexpr const char* kPluginSuffix = ".plumb.so";

}  // namespace plumb
