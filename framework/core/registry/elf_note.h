// What a plugin file says about itself, read from the file: nothing of the plugin is mapped or run.
//
//   Result<PluginNote> note = read_plugin_note("reward-gap.plumb.so");
//   if (!note) …   // not an ELF library, truncated, no plugin, malformed: the message says which
//
// The file is not trusted: every offset and size in it is checked against the file before it is used.
// Thread contract: a function of the file; [any].
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "framework/result.h"

namespace plumb {

struct PluginNote {
  std::string fingerprint;  // "sdk=2 arch=x86_64-linux …"
  std::string manifest;     // as the entry must repeat it
  std::string id, version, licence, summary;
  std::string status;                 // "stable" or "experimental"; empty when it says none
  std::vector<std::string> replaces;  // earlier ids of this plugin
  std::string build_id;               // the linker's, lower-case hex; empty when the file has none
};

// Errors are ErrorCode::plugin and do not repeat the file's name.
Result<PluginNote> read_plugin_note(const std::filesystem::path& file);

}  // namespace plumb
