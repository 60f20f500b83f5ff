#include "framework/engine/training/score_objective.h"

#include <ATen/TensorOperators.h>

namespace plumb {

MicroLoss ScoreObjective::micro_loss(std::span<const std::size_t> micro, const BatchTotals& totals) {
  const UniqueResponses unique = gather(data_, micro, model_.score->weight.device());
  const at::Tensor rewards = completion_rewards(model_, unique.groups, {});
  const ScoreBatch batch{rewards.index_select(0, unique.chosen), rewards.index_select(0, unique.rejected),
                         unique.margin};
  Loss loss = optimizer_.call(&ScoreOptimizer::loss, batch);
  return weighted(std::move(loss), micro, totals);
}

}  // namespace plumb
