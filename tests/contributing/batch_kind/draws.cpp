#include <ATen/TensorOperators.h>

#include "sdk/check/tensor/batches.h"

namespace plumb::check {
namespace {

void draw(Inputs& in, const Context&, const Random& random) {
  in.add_numbers("means", random, -4, 0);
  in.total_sequences = in.rows + 2;  // of a batch of which this is a part
}

Loss loss(Optimizer& optimizer, const Context&, const Inputs& in, BatchWatch& watch) {
  const SequenceBatch batch{in.leaf("means") * 1, in.total_sequences};
  watch.add("means", batch.means);
  return dynamic_cast<SequenceOptimizer&>(optimizer).loss(batch);
}

}  // namespace

template <>
const BatchForm& form_of<SequenceOptimizer>() {
  static const BatchForm form{.draw = draw, .loss = loss, .stretch = nullptr, .mean = false};
  return form;
}

}  // namespace plumb::check
