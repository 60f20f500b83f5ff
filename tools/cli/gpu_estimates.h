// `plumb plan --gpus`: memory and time of the stages to be run on a GPU.
// Thread contract: as a verb.
#pragma once

#include <vector>

#include "framework/core/pipeline/accelerator.h"
#include "framework/core/pipeline/plan.h"

namespace plumb::cli {

// Of one plan, or of the arms of a sweep: what they share counts once.
void print_gpu_estimates(const std::vector<Plan>& plans, const Accelerator& on);

}  // namespace plumb::cli
