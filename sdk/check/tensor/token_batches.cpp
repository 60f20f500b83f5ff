#include <ATen/TensorOperators.h>

#include "sdk/check/tensor/batches.h"
#include "sdk/check/tensor/tensors.h"

namespace plumb::check {
namespace {

void draw(Inputs& in, const Context&, const Random& random) {
  in.add_logps("logps", random);
  in.total_tokens = in.leaf("logps").numel() + 5;  // of a batch of which this is a part
  in.total_sequences = in.rows + 2;
}

Loss loss(Optimizer& optimizer, const Context&, const Inputs& in, BatchWatch& watch) {
  const TokenLossBatch batch{in.ragged_leaf("logps"), in.total_tokens, in.total_sequences};
  watch.add("logps", batch.logps);
  return dynamic_cast<TokenOptimizer&>(optimizer).loss(batch);
}

void stretch(Inputs& in, double size, double) {
  in.set_leaf("logps", -size);
}

}  // namespace

template <>
const BatchForm& form_of<TokenOptimizer>() {
  static const BatchForm form{.draw = draw, .loss = loss, .stretch = stretch, .mean = false};
  return form;
}

}  // namespace plumb::check
