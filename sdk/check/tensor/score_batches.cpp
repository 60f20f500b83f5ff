#include <ATen/TensorOperators.h>

#include "sdk/check/tensor/batches.h"
#include "sdk/check/tensor/tensors.h"

namespace plumb::check {
namespace {

void draw(Inputs& in, const Context&, const Random& random) {
  in.add_numbers("chosen", random, -2, 2);
  in.add_numbers("rejected", random, -2, 2);
  in.constants["margin"] = draw_margins(random, in.rows).to(in.type);
}

Loss loss(Optimizer& optimizer, const Context&, const Inputs& in, BatchWatch& watch) {
  const ScoreBatch batch{in.leaf("chosen") * 1, in.leaf("rejected") * 1, in.constants.at("margin").clone()};
  watch.add("chosen", batch.chosen);
  watch.add("rejected", batch.rejected);
  watch.add("margin", batch.margin);
  return dynamic_cast<ScoreOptimizer&>(optimizer).loss(batch);
}

void stretch(Inputs& in, double size, double sign) {
  in.set_leaf("chosen", sign * size / 2);
  in.set_leaf("rejected", -sign * size / 2);
}

}  // namespace

template <>
const BatchForm& form_of<ScoreOptimizer>() {
  static const BatchForm form{.draw = draw, .loss = loss, .stretch = stretch};
  return form;
}

}  // namespace plumb::check
