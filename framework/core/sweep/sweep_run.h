// Running a sweep: each arm is a `plumb run --arm` of its own, a bounded number at a time; what arms share is made
// once.
//
//   SweepResult result = run_sweep(loaded, {.runs = "runs", .command = {"/proc/self/exe", "run", "recipe.yaml"}});
//   result.failed > 0 → some arms failed; the same command tries them again
//
// The folder of the sweep is described in pipeline/sweep_record.h.
// Thread contract: [setup]; one sweep at a time in a process.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "framework/core/recipe/recipe.h"
#include "framework/core/telemetry/progress.h"

namespace plumb {

struct SweepOptions {
  std::filesystem::path runs = "runs";
  // The command of an arm up to its own options, which are added: --arm, --runs, --json, --resolved-sha256
  // and --locked.
  std::vector<std::string> command;
  std::vector<std::string> launch;  // words before that command, the first a program's path: srun …; empty: none
  std::filesystem::path locked;     // the folder of a sweep: each arm is to be what its lock there says; empty: none is
  std::size_t jobs = 1;             // arms at a time, wherever they run
  Progress::Form form = Progress::Form::lines;
};

struct SweepResult {
  std::filesystem::path folder;
  std::size_t done = 0, failed = 0;  // arms; of those that failed some may not have been tried
  double seconds = 0;
};

// recipe.lock.yaml of an arm in the folder of a sweep.
std::filesystem::path lock_of_arm(const std::filesystem::path& sweep, const std::string& arm);

// `loaded` has a sweep and no problems. Throws Error: preempted or interrupted when a signal asked to stop, data when
// the record cannot be written. A failed arm is no error.
SweepResult run_sweep(const LoadedRecipe& loaded, const SweepOptions& options);

}  // namespace plumb
