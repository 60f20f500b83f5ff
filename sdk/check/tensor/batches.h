// Batches of every kind that an optimizer may ask for, drawn from a seed.
//
//   Inputs inputs = draw_inputs(optimizer, context, 6, at::kDouble);
//   Loss loss = loss_on(optimizer, context, inputs);
//   loss.value.backward();
//   inputs.leaves[0].grad();
//
// What is special to the batches of one class stands in a file of its own, X_batches.cpp, as that class's form_of.
// Thread contract: [lane].
#pragma once

#include <map>
#include <string>
#include <vector>

#include "plumb/tensor/optimizer.h"
#include "sdk/check/context.h"

namespace plumb::check {

struct BatchForm;

// What a batch is built from. `leaves` are what the policy computes; the loss is differentiated by them.
struct Inputs {
  const BatchForm* form = nullptr;
  at::ScalarType type = at::kDouble;
  std::int64_t rows = 0;
  std::vector<std::string> names;
  std::vector<at::Tensor> leaves;
  std::map<std::string, at::Tensor> constants;
  std::map<std::string, std::vector<std::int64_t>> lengths;  // of the rows of a flat leaf or constant
  std::int64_t total_tokens = 0, total_sequences = 0;
  std::int64_t first = 0, count = 0;  // of the rows that a micro-batch takes when all are prepared together
  bool reference_is_policy = false;
  double share = 1;  // of these inputs in the loss of those they are a part of

  void add_leaf(const std::string& name, const at::Tensor& values);
  // [rows] numbers of the policy's.
  void add_numbers(const std::string& name, const Random& random, double low, double high);
  // Ragged log-probabilities of the policy's, and the reference's as the constant "reference NAME".
  void add_logps(const std::string& name, const Random& random);
  [[nodiscard]] Ragged ragged_leaf(const std::string& name) const;
  // A constant whose rows are as long as those of `as`.
  [[nodiscard]] Ragged ragged(const std::string& constant, const std::string& as) const;
  [[nodiscard]] const at::Tensor& leaf(const std::string& name) const;
  void set_leaf(const std::string& name, double value);  // all of it

  // Single pairs, sequences or micro-batches whose losses, times their share, add up to the whole; empty when the kind
  // of batch promises no such thing.
  [[nodiscard]] std::vector<Inputs> parts() const;
  // Of those a part: `count` of its pairs, sequences or rollouts from `first` on.
  [[nodiscard]] Inputs part(std::int64_t first, std::int64_t count) const;

  // Makes the policy prefer the chosen (sign 1) or rejected (sign -1) answers by about `size`.
  void stretch(double size, double sign);
};

// A batch's tensors as they are, to see whether the loss writes into them.
class BatchWatch {
 public:
  void add(const std::string& name, const at::Tensor& tensor);
  void add(const std::string& name, const Ragged& ragged) { add(name, ragged.values); }
  [[nodiscard]] std::string written() const;  // the first that was changed, or nothing

 private:
  struct Seen {
    std::string name;
    at::Tensor tensor;
    std::string bytes;
  };
  std::vector<Seen> seen_;
};

// The batches of one class of optimizers.
struct BatchForm {
  // Fills in names, leaves, constants and lengths for `in.rows` rows.
  void (*draw)(Inputs& in, const Context& context, const Random& random);
  Loss (*loss)(Optimizer& optimizer, const Context& context, const Inputs& in, BatchWatch& watch);
  void (*stretch)(Inputs& in, double size, double sign);  // null: a policy that far off is not what such batches see
  std::int64_t part_rows = 1;  // of the smallest part; 0: the loss of a batch is no sum over its parts
  bool mean = true;            // over the rows; false: divided by totals that the batch has
  bool together = false;       // the rows of all parts are prepared at once
  bool identity = false;       // with a reference that is the policy the loss may not depend on the texts
};
// Defined beside each class's draws: a class without one does not link.
template <class OptimizerClass>
const BatchForm& form_of();

std::vector<std::int64_t> draw_lengths(Random random, std::int64_t count);
at::Tensor draw_margins(const Random& random,
                        std::int64_t count);  // reward gaps; the first NaN, as of data without rewards

// `number`: of several batches, each drawn anew. Throws Failure for an optimizer of no known class.
Inputs draw_inputs(Optimizer& optimizer, const Context& context, std::int64_t count, at::ScalarType type,
                   std::uint64_t number = 0);

// `written`, when given, receives the name of a tensor of the batch that the loss wrote into, or nothing.
Loss loss_on(Optimizer& optimizer, const Context& context, const Inputs& inputs, std::string* written = nullptr);

}  // namespace plumb::check
