// Executing a recipe: every stage whose artifact is missing runs, in order; the run's folder records what was done.
//
//   RunResult result = run_recipe(loaded.recipe, loaded.source.text.text, loaded.registry, {.runs = "runs"});
//
// Artifacts lie in runs/.artifacts, shared by all runs; the folder of the run is described in pipeline/run_record.h.
// Thread contract: [setup]; one run at a time in a process.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "framework/core/pipeline/plan.h"
#include "framework/core/pipeline/stage_runner.h"
#include "framework/core/recipe/recipe.h"
#include "framework/core/telemetry/progress.h"

namespace plumb {

inline constexpr const char* artifacts_folder = ".artifacts";  // under the folder of runs

struct RunOptions {
  std::filesystem::path runs = "runs";
  std::vector<std::string> until;  // stages; empty: all
  Progress::Form form = Progress::Form::lines;
  StageRunner* runner = nullptr;  // what runs a stage (pipeline/stage_runner.h); null: this process
  Value ranks = {};               // for run.json, of a run on several (pipeline/leader.h)
};

struct RunResult {
  std::filesystem::path folder;
  std::size_t ran = 0, cached = 0;
  double seconds = 0;
  struct Report {
    std::filesystem::path link;      // in `folder`; another command may replace it any time
    std::filesystem::path artifact;  // what this command made or found
  };
  std::vector<Report> reports;
  std::vector<std::string> models;  // stages whose artifacts are models
};

// runs/NAME, of an arm of a sweep runs/NAME/ARM.
std::filesystem::path run_folder(const std::filesystem::path& runs, const Recipe& recipe);

// Throws Error: of the failed stage, named; preempted or interrupted when a signal asked to stop.
RunResult run_recipe(const Recipe& recipe, const std::string& recipe_text, const Registry& registry,
                     const RunOptions& options);

}  // namespace plumb
