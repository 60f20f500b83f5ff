// What a trainer trains: examples by number, and the loss of some of them. One class per batch kind of an optimizer
// stands behind it (token_objective.h, pair_objective.h, score_objective.h); the loop knows only this.
//
//   BatchTotals totals = objective.totals(batch);
//   for (auto micro : micro_batches(batch, size)) objective.micro_loss(micro, totals).share.backward();
//
// Shares add up: over any cut of a batch into micro-batches their sum, and so the gradient, is the batch's.
// Thread contract: [lane].
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "plumb/tensor/torch.h"
#include "plumb/value.h"

namespace plumb {

// Of a whole batch: what micro-batches divide by.
struct BatchTotals {
  std::int64_t examples = 0;
  std::int64_t learnt_tokens = 0;  // tokens under the loss
  // Of every example as it stands in the data, prompts counted each time (TRL's num_tokens).
  std::int64_t tokens = 0;
};

struct MicroLoss {
  at::Tensor share;                       // scalar: this micro-batch's part of the batch's loss
  std::map<std::string, double> metrics;  // means over its examples
};

class Objective {
 public:
  virtual ~Objective() = default;
  [[nodiscard]] virtual std::size_t size() const = 0;
  // "row 17 (prompt hh-3, responses 2 and 9)": for messages.
  [[nodiscard]] virtual std::string describe(std::size_t example) const = 0;
  [[nodiscard]] virtual BatchTotals totals(std::span<const std::size_t> batch) const = 0;
  // Called before the micro-batches of each update; updates count from 0. May throw Cancelled.
  virtual void starting(std::int64_t update) { static_cast<void>(update); }
  // What `starting` measured, to be averaged with the update's examples as weight.
  [[nodiscard]] virtual std::map<std::string, double> batch_metrics() const { return {}; }
  // Puts examples that share work side by side; the loss of a batch does not depend on its order.
  virtual void arrange(std::vector<std::size_t>& batch) const { static_cast<void>(batch); }
  // Under a no-grad guard this is an evaluation: no dropout.
  [[nodiscard]] virtual MicroLoss micro_loss(std::span<const std::size_t> micro, const BatchTotals& totals) = 0;

  // What an objective carries from update to update beside the trained tensors; null and nothing for most.
  using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;
  [[nodiscard]] virtual Value save(NamedTensors& tensors) const {
    static_cast<void>(tensors);
    return {};
  }
  virtual void restore(const Value& state, const std::map<std::string, at::Tensor>& tensors) {
    static_cast<void>(state);
    static_cast<void>(tensors);
  }
};

}  // namespace plumb
