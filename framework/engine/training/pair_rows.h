// Pairs as they are trained: prompts with their unique responses, and pairs that point into them.
//
//   UniqueResponses unique = gather(rows, micro);            // of these pairs: each prompt and each response once
//   CompletionLogps logps = completion_logps(model, unique.groups, {});
//   at::Tensor chosen = logps.sums().index_select(0, unique.chosen);
//
// The gradient is that of the pairwise definition: a response that stands in several pairs collects their weights.
// Thread contract: functions are [any].
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "framework/engine/modeling/grouped_forward.h"
#include "framework/engine/training/objective.h"

namespace plumb {

struct PairRows {
  struct Pair {
    std::size_t group;
    std::size_t chosen, rejected;  // completions of the group
    double margin;                 // reward gap, or NaN
  };
  std::vector<SequenceGroup> groups;
  std::vector<std::string> names;  // prompt id of each group
  std::vector<Pair> pairs;

  [[nodiscard]] std::string describe(std::size_t pair) const;
  [[nodiscard]] BatchTotals totals(std::span<const std::size_t> batch) const;
  // Pairs of one prompt side by side, in the order in which prompts first appear.
  void arrange(std::vector<std::size_t>& batch) const;
  [[nodiscard]] std::vector<std::size_t> group_of_pair() const;
};

struct UniqueResponses {
  std::vector<SequenceGroup> groups;
  std::vector<std::pair<std::size_t, std::size_t>> origin;  // (group, completion) in the rows, in the groups' order
  at::Tensor chosen, rejected;                              // [pairs] int64: place of each pair's answers in that order
  at::Tensor chosen_length, rejected_length;                // [pairs] float: completion tokens
  at::Tensor margin;                                        // [pairs] float
};
UniqueResponses gather(const PairRows& rows, std::span<const std::size_t> pairs, const at::Device& device);

}  // namespace plumb
