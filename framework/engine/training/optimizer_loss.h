// The loss of an optimizer on a micro-batch as a part of the batch's.
//
//   Loss loss = optimizer_.call(&PairwiseOptimizer::loss, batch);
//   return weighted(std::move(loss), micro, totals);
//
// Thread contract: functions of their arguments.
#pragma once

#include <span>

#include "framework/engine/training/objective.h"
#include "plumb/tensor/optimizer.h"

namespace plumb {

// A loss that is the mean over the micro-batch: its share is that of its examples.
MicroLoss weighted(Loss loss, std::span<const std::size_t> micro, const BatchTotals& totals);
// A loss that was divided by the totals of the batch is its own share.
MicroLoss undivided(Loss loss);

}  // namespace plumb
