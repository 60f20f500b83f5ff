// What an earlier command left in the folder of a run or a sweep: what of it is a run's own and may be replaced, and
// what a new command does to it.
//
//   const TakenOver earlier = take_over(folder, store.root(), recipe, plan).value();   // the folder of a run, or none
//   for (const std::string& stage : earlier.drop) fs::remove(folder / stage);
//   for (const std::string& note : earlier.notes) progress.message(LogLevel::info, note);
//
// A file is a run's when run.json beside it is the record of a run, a sweep's when sweep.json is one of a sweep; a link
// is a run's when its run.json has a stage of this name and it points into the store. Nothing else is ever replaced.
// Thread contract: functions are [any]; other processes may run the same recipe in the folder meanwhile.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "framework/core/pipeline/plan.h"

namespace plumb {

struct TakenOver {
  std::vector<std::string> drop;  // links to take away: of stages that are no longer there or are made anew
  // Entries of run.json for stages that this command leaves out: `done` or `cached` when the recipe still makes just
  // that, `outdated` when it would make something else.
  std::map<std::string, Value> kept;
  bool changes = false;  // whether the folder shows anything else when the run has ended
  std::vector<std::string> notes, warnings;
};

// `folder` need not exist; `store` is the folder of the artifacts. Nothing is written. Error(data) names what a
// run would have to replace and did not make.
Result<TakenOver> take_over(const std::filesystem::path& folder, const std::filesystem::path& store,
                            const Recipe& recipe, const Plan& plan);

// The same question for the files of a sweep.
Result<void> require_sweep_folder(const std::filesystem::path& folder);

}  // namespace plumb
