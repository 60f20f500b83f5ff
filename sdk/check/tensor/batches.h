// Batches of every kind that an optimizer may ask for, drawn from a seed.
//
//   Inputs inputs = draw_inputs(optimizer, context, 6, at::kDouble);
//   Loss loss = loss_on(optimizer, context, inputs);
//   loss.value.backward();
//   inputs.leaves[0].grad();
//
// Thread contract: [lane].
#pragma once

#include <map>
#include <string>
#include <vector>

#include "plumb/tensor/optimizer.h"
#include "sdk/check/context.h"

namespace plumb::check {

// What a batch is built from. `leaves` are what the policy computes; the loss is differentiated by them.
struct Inputs {
  Optimizer::Batch batch{};
  at::ScalarType type = at::kDouble;
  std::vector<std::string> names;
  std::vector<at::Tensor> leaves;
  std::map<std::string, at::Tensor> constants;
  std::map<std::string, std::vector<std::int64_t>> lengths;  // tokens of each sequence in a flat leaf
  std::int64_t total_tokens = 0, total_sequences = 0;
  std::int64_t first = 0, count = 0;  // of the rows that a micro-batch of rollouts takes
  bool reference_is_policy = false;
  double padding = 0;  // what stands where a mask is false
  double share = 1;    // of these inputs in the loss of those they are a part of

  // Single pairs, sequences or micro-batches whose losses, times their share, add up to the whole; empty when the kind
  // of batch promises no such thing.
  [[nodiscard]] std::vector<Inputs> parts() const;
  // Of those a part: `count` of its pairs, sequences or rollouts from `first` on.
  [[nodiscard]] Inputs part(std::int64_t first, std::int64_t count) const;
  [[nodiscard]] std::int64_t rows() const;

  // Makes the policy prefer the chosen (sign 1) or rejected (sign -1) answers by about `size`.
  void stretch(double size, double sign);
};

// `number`: of several batches, each drawn anew.
Inputs draw_inputs(const Optimizer& optimizer, const Context& context, std::int64_t count, at::ScalarType type,
                   std::uint64_t number = 0);

// Throws Failure when the class of the optimizer does not fit its batch(). `written`, when given, receives the name of
// a tensor of the batch that the loss wrote into, or nothing.
Loss loss_on(Optimizer& optimizer, const Context& context, const Inputs& inputs, std::string* written = nullptr);

}  // namespace plumb::check
