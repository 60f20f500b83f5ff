#include "framework/engine/training/optimizer_loss.h"

#include <ATen/TensorOperators.h>

namespace plumb {

MicroLoss weighted(Loss loss, std::span<const std::size_t> micro, const BatchTotals& totals) {
  if (totals.examples == static_cast<std::int64_t>(micro.size())) return undivided(std::move(loss));
  const double share = static_cast<double>(micro.size()) / static_cast<double>(totals.examples);
  return {loss.value * share, std::move(loss.metrics)};
}

MicroLoss undivided(Loss loss) {
  return {std::move(loss.value), std::move(loss.metrics)};
}

}  // namespace plumb
