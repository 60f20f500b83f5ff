// What `plumb show` says of a sweep's folder: its arms with status, seed, time and failure, the stages that they share,
// and where results and report lie.
//
// Thread contract: as a verb.
#pragma once

#include <filesystem>

namespace plumb::cli {

void show_sweep(const std::filesystem::path& folder, bool json);

}  // namespace plumb::cli
