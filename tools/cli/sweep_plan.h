// `plumb plan` and `plumb sweep --dry-run` of a recipe with a sweep: which stages arms share, what would run.
// Thread contract: as a verb.
#pragma once

#include "framework/core/sweep/sweep_plan.h"

namespace plumb::cli {

void print_sweep_plan(const Sweep& sweep, const SweepPlan& plan, bool json);

}  // namespace plumb::cli
