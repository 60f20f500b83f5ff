// Which examples make up each update: seeded shuffles, a pure function of (seed, update), so that a resumed run needs
// nothing but the update's number.
//
//   BatchPlan plan({.examples = 5695, .batch_size = 64, .epochs = 2}, pair_order("capped", 8, groups), random);
//   for (std::int64_t u = 0; u < plan.updates(); ++u) train(plan.batch(u));
//
// Each epoch visits every example once, cut into batches of exactly batch_size; the rest of an epoch is a shorter batch
// of its own, as in Hugging Face's trainer. Updates: ceil(epochs · ceil(n / batch_size)), or max_steps.
// Thread contract: batch is [lane] (it keeps the current epoch's order).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "plumb/random.h"

namespace plumb {

// The order of one epoch: a permutation of the examples, drawn from that epoch's stream.
using EpochOrder = std::function<std::vector<std::size_t>(Random)>;

// `exact`: every order equally likely (TRL's RandomSampler).
EpochOrder shuffled(std::size_t examples);
// The examples as they stand (evaluation, goldens).
EpochOrder in_order(std::size_t examples);
// `capped(g)`: the examples of one group (pairs of a prompt) are cut into blocks of at most `cap`, drawn anew each
// epoch; blocks are permuted and laid end to end from a random cyclic offset. An example stands at every position with
// equal probability, so the batch gradient stays unbiased; only its variance changes. cap 0: `grouped`, a group is one
// block.
EpochOrder blocked(std::vector<std::size_t> group_of_example, std::size_t cap);
// By name of the recipe key pair_batching: exact, grouped, capped.
EpochOrder pair_order(const std::string& pair_batching, std::int64_t cap, std::vector<std::size_t> group_of_pair);

class BatchPlan {
 public:
  struct Settings {
    std::size_t examples = 0;
    std::int64_t batch_size = 1;
    double epochs = 1;
    std::int64_t max_steps = 0;  // > 0: instead of epochs
  };
  // Throws Error(data) when there is no example.
  BatchPlan(const Settings& settings, EpochOrder order, Random random);
  [[nodiscard]] std::int64_t updates() const { return updates_; }
  [[nodiscard]] std::int64_t updates_per_epoch() const { return per_epoch_; }
  [[nodiscard]] std::vector<std::size_t> batch(std::int64_t update);
  // Every example that some update visits, ascending: all of them after a whole epoch.
  [[nodiscard]] std::vector<std::size_t> visited();

 private:
  const std::vector<std::size_t>& epoch_order(std::int64_t epoch);
  std::size_t examples_;
  std::int64_t batch_size_, per_epoch_, updates_;
  EpochOrder order_;
  Random random_;
  std::int64_t current_epoch_ = -1;
  std::vector<std::size_t> current_;
};

// Consecutive slices of at most `size` examples; 0: one slice.
std::vector<std::span<const std::size_t>> micro_batches(std::span<const std::size_t> batch, std::int64_t size);

}  // namespace plumb
