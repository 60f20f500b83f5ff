#include "framework/core/sweep/sweep_plan.h"

#include <algorithm>
#include <set>

namespace plumb {
namespace {

// Counts a stage of an arm; `seen` holds the keys that were counted.
void count(SweepPlan& plan, std::set<std::string>& seen, const PlannedStage& stage) {
  if (stage.state == StageState::unneeded) return;
  const std::string& name = stage.spec->name;
  auto row = std::find_if(plan.stages.begin(), plan.stages.end(), [&](const SweepStage& s) { return s.name == name; });
  if (row == plan.stages.end()) {
    row = plan.stages.insert(row, SweepStage{});
    row->name = name;
    row->kind = stage.spec->kind->kind;
  }
  ++row->arms;
  // Two stages of one arm may be the same, too, and run once.
  if (!seen.insert(stage.manifest.key).second) return;
  const bool cached = stage.state == StageState::cached;
  ++row->different;
  ++plan.different;
  ++(cached ? row->cached : row->to_run);
  ++(cached ? plan.cached : plan.to_run);
}

}  // namespace

Result<SweepPlan> plan_sweep(const Sweep& sweep, const ArtifactStore& store, const FileReading& reading) {
  SweepPlan out;
  std::set<std::string> seen;
  for (const Arm& arm : sweep.arms) {
    Result<Plan> plan = make_plan(arm.recipe, store, sweep.until, false, reading);
    if (!plan) return plan.error();
    for (const PlannedStage& stage : plan->stages) count(out, seen, stage);
    out.arms.push_back(std::move(*plan));
  }
  return out;
}

}  // namespace plumb
