// The plugins for a model or a run that lies on disk: the standard places, --plugin, and what the run was made with.
//
//   add_plugin_option(options);
//   const Registry registry = scan_for((*given)["model"].as<std::string>(), *given);
//
// Thread contract: as a verb.
#pragma once

#include <filesystem>

#include "tools/cli/plugin_text.h"

namespace plumb::cli {

// `folder`: a run, a model in a run, or a folder in one of these; anything else has no run. Of the plugins in the run's
// recipe.lock.yaml those are added that nothing else provides, whose file is still where it was and has the hash that
// the lock has, and whose lock only its owner can write. Others are named on standard error.
Registry scan_for(const std::filesystem::path& folder, const boost::program_options::variables_map& given);

}  // namespace plumb::cli
