#include "framework/engine/modeling/merge_loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/sum.h>
#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace plumb {

bool MergeLoss::faithful() const {
  return std::abs(survives - 1) <= 0.01;
}

Value to_value(const MergeLoss& loss, const std::string& dtype) {
  return Value::map({{"dtype", dtype}, {"survives", loss.survives}, {"error", loss.error}});
}

std::string merge_text(const MergeLoss& loss, const std::string& dtype) {
  return fmt::format("{:.1f} % of the adapter's update survives in {} (relative error {:.2g})", 100 * loss.survives,
                     dtype, loss.error);
}

void MergeSums::add(const at::Tensor& base, const at::Tensor& merged, const at::Tensor& update) {
  const at::Tensor moved = merged - base;
  along_ += at::sum(moved * update, at::kDouble).item<double>();
  square_ += at::sum(update * update, at::kDouble).item<double>();
  off_ += at::sum((moved - update).square(), at::kDouble).item<double>();
}

MergeLoss MergeSums::loss() const {
  if (square_ == 0) return {1, off_ == 0 ? 0 : std::numeric_limits<double>::infinity()};
  return {along_ / square_, std::sqrt(off_ / square_)};
}

}  // namespace plumb
