#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>

#include "sdk/check/tensor/batches.h"
#include "sdk/check/tensor/tensors.h"

namespace plumb::check {
namespace {

void draw(Inputs& in, const Context&, const Random& random) {
  in.add_numbers("policy", random, -20, -1);
  for (const char* name : {"reference", "policy mismatched", "reference mismatched"}) {
    in.constants[name] = draw_uniform(random.derive(name), {in.rows}, -20, -1).to(in.type);
  }
  in.constants["length"] = at::tensor(draw_lengths(random.derive("length"), in.rows)).to(in.type);
  at::Tensor desirable = draw_uniform(random.derive("desirable"), {in.rows}, -1, 1) > 0;
  desirable.select(0, 0).fill_(true);
  desirable.select(0, 1).fill_(false);
  in.constants["desirable"] = desirable;
}

Loss loss(Optimizer& optimizer, const Context& c, const Inputs& in, BatchWatch& watch) {
  const auto constant = [&](const char* name, bool there) {
    return there ? in.constants.at(name).clone() : at::Tensor();
  };
  const bool referenced = c.needs("reference"), mismatched = c.needs("mismatched");
  const UnpairedBatch b{in.leaf("policy") * 1,
                        constant("reference", referenced),
                        constant("length", true),
                        constant("desirable", true),
                        constant("policy mismatched", mismatched),
                        constant("reference mismatched", mismatched && referenced)};
  watch.add("policy", b.policy);
  watch.add("reference", b.reference);
  watch.add("length", b.length);
  watch.add("desirable", b.desirable);
  watch.add("policy_mismatched", b.policy_mismatched);
  watch.add("reference_mismatched", b.reference_mismatched);
  return dynamic_cast<UnpairedOptimizer&>(optimizer).loss(b);
}

void stretch(Inputs& in, double size, double sign) {
  in.set_leaf("policy", sign > 0 ? -1e-3 : -size);
  in.constants["reference"] = in.constants.at("reference") * 0 - (sign > 0 ? size : 1e-3);
}

}  // namespace

template <>
const BatchForm& form_of<UnpairedOptimizer>() {
  static const BatchForm form{.draw = draw, .loss = loss, .stretch = stretch, .part_rows = 0};
  return form;
}

}  // namespace plumb::check
