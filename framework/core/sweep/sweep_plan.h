// What a sweep would do: the plan of every arm, and which of their stages are the same.
//
//   SweepPlan plan = plan_sweep(*loaded.sweep, store).value();
//   plan.stages[3].different      // "sft" of 27 arms: 3, one for each seed
//
// Thread contract: plan_sweep is [setup]; a plan may be read from any thread.
#pragma once

#include <string>
#include <vector>

#include "framework/core/pipeline/plan.h"

namespace plumb {

struct SweepStage {
  std::string name, kind;
  std::size_t arms = 0;       // that need it
  std::size_t different = 0;  // artifacts they need: arms with equal keys share one
  std::size_t cached = 0, to_run = 0;
};

struct SweepPlan {
  std::vector<Plan> arms;          // in the sweep's order; without `why` and `earlier`
  std::vector<SweepStage> stages;  // in the first arm's order
  std::size_t different = 0, cached = 0, to_run = 0;
};

Result<SweepPlan> plan_sweep(const Sweep& sweep, const ArtifactStore& store, const FileReading& reading = {});

}  // namespace plumb
