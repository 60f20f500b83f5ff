#include <ATen/TensorOperators.h>

#include "sdk/check/tensor/batches.h"
#include "sdk/check/tensor/tensors.h"

namespace plumb::check {
namespace {

void draw(Inputs& in, const Context&, const Random& random) {
  in.add_logps("chosen", random);
  in.add_logps("rejected", random);
  in.constants["margin"] = draw_margins(random, in.rows).to(in.type);
}

// One answer of each pair.
struct Side {
  at::Tensor policy, reference, length;
  Ragged policy_tokens, reference_tokens;
};

Side side_of(const Inputs& in, const char* name, bool referenced, bool per_token) {
  const Ragged policy = in.ragged_leaf(name);
  Side out{.policy = policy.sums(), .length = policy.lengths().to(in.type)};
  if (per_token) out.policy_tokens = policy;
  if (!referenced) return out;
  const Ragged reference =
      in.reference_is_policy ? policy.with(policy.values.detach()) : in.ragged(std::string("reference ") + name, name);
  out.reference = reference.sums();
  if (per_token) out.reference_tokens = reference;
  return out;
}

Loss loss(Optimizer& optimizer, const Context& c, const Inputs& in, BatchWatch& watch) {
  auto& pairwise = dynamic_cast<PairwiseOptimizer&>(optimizer);
  const bool referenced = c.needs("reference"), per_token = pairwise.per_token();
  const Side chosen = side_of(in, "chosen", referenced, per_token);
  const Side rejected = side_of(in, "rejected", referenced, per_token);
  const PairBatch b{chosen.policy,
                    rejected.policy,
                    chosen.reference,
                    rejected.reference,
                    chosen.length,
                    rejected.length,
                    in.constants.at("margin").clone(),
                    chosen.policy_tokens,
                    rejected.policy_tokens,
                    chosen.reference_tokens,
                    rejected.reference_tokens};
  watch.add("policy_chosen", b.policy_chosen);
  watch.add("policy_rejected", b.policy_rejected);
  watch.add("reference_chosen", b.reference_chosen);
  watch.add("reference_rejected", b.reference_rejected);
  watch.add("margin", b.margin);
  watch.add("chosen_length", b.chosen_length);
  watch.add("rejected_length", b.rejected_length);
  watch.add("policy_chosen_tokens", b.policy_chosen_tokens);
  watch.add("policy_rejected_tokens", b.policy_rejected_tokens);
  watch.add("reference_chosen_tokens", b.reference_chosen_tokens);
  watch.add("reference_rejected_tokens", b.reference_rejected_tokens);
  return pairwise.loss(b);
}

void stretch(Inputs& in, double size, double sign) {
  in.set_leaf("chosen", sign > 0 ? -1e-3 : -size / 3);
  in.set_leaf("rejected", sign > 0 ? -size / 3 : -1e-3);
}

}  // namespace

template <>
const BatchForm& form_of<PairwiseOptimizer>() {
  static const BatchForm form{.draw = draw, .loss = loss, .stretch = stretch, .identity = true};
  return form;
}

}  // namespace plumb::check
