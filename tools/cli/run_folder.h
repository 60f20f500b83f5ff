// The folder of a run or a sweep as the verbs read it: what run.json or sweep.json says, and the artifacts of the
// stages that are there.
//
//   Value run = read_run("runs/quickstart");                 // throws Error(data) for a folder that is no run
//   for (auto& [stage, artifact] : run_artifacts(run, "runs/quickstart")) …
//
// Thread contract: functions are [any].
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "framework/core/artifacts/artifact.h"

namespace plumb::cli {

// run.json; a run that says it is running while its process is gone is given the status `killed`.
Value read_run(const std::filesystem::path& folder);

bool is_sweep(const std::filesystem::path& folder);
// sweep.json; when the sweep's process is gone, it and the arms that say they are running are given the status
// `killed`.
Value read_sweep(const std::filesystem::path& folder);

// Finished stages in the recipe's order, by the links of the run's folder; those whose artifact was deleted are left
// out.
std::vector<std::pair<std::string, Artifact>> run_artifacts(const Value& run, const std::filesystem::path& folder);

}  // namespace plumb::cli
