// How much of an adapter's update the weights can hold that it is folded into.
//
//   MergeSums sums;
//   sums.add(base, merged, update);            // of each adapted layer
//   if (!sums.loss().faithful()) …             // much of the update was rounded away
//
// D is the update of each weight that an adapter changes, Σ scale · B A of a plain one, in float32; W the base as it is
// stored, M what was written.
//   survives = ⟨M − W, D⟩ / ⟨D, D⟩   over all of them: the share of the update along itself; 1: all of it
//   error    = |M − W − D| / |D|     what rounding added and took away, relative to the update; 0: nothing
// Weights of 16 bits have steps of 1/256 of their value: an update below half a step vanishes.
// Thread contract: [lane].
#pragma once

#include <string>

#include "plumb/tensor/torch.h"
#include "plumb/value.h"

namespace plumb {

struct MergeLoss {
  double survives = 1, error = 0;
  [[nodiscard]] bool faithful() const;  // survives is within 1 % of all
};

// {"dtype", "survives", "error"}
Value to_value(const MergeLoss& loss, const std::string& dtype);
// "6.0 % of the adapter's update survives in bfloat16 (relative error 0.98)"
std::string merge_text(const MergeLoss& loss, const std::string& dtype);

class MergeSums {
 public:
  // All [out, in] float: the base's weight, the weight after merging, and the adapter's update.
  void add(const at::Tensor& base, const at::Tensor& merged, const at::Tensor& update);
  [[nodiscard]] MergeLoss loss() const;

 private:
  double along_ = 0, square_ = 0, off_ = 0;
};

}  // namespace plumb
