// The distribution of reward gaps, and how many pairs each threshold would keep: what a user looks at before choosing
// η.
//
//   RewardGaps gaps = measure_reward_gaps(groups);
//   gaps.pairs_above(1.3863);                          // pairs with gap > δ
//   write_file("gaps.json", to_json(to_value(gaps, delta)));
//
// The gap of an unordered pair is its absolute reward difference. Source: paper §4, Figure 2; δ = τ·ln(η/(1−η)).
// Thread contract: a value type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "plumb/records.h"

namespace plumb {

struct RewardGaps {
  std::vector<double> gaps;        // of every pair of responses of one prompt, ascending
  std::vector<double> largest;     // of each prompt with at least two responses, ascending
  double mean = 0, deviation = 0;  // of gaps; deviation with n − 1
  [[nodiscard]] std::size_t pairs_above(double delta) const;
  [[nodiscard]] std::size_t prompts_above(double delta) const;
};

RewardGaps measure_reward_gaps(std::span<const ResponseGroup> groups);

// Whether the reward model likes long answers: the correlation of reward and length (bytes) over all responses, each
// less its prompt's mean. Nothing where all lengths or all rewards of every prompt are equal.
std::optional<double> reward_length_correlation(std::span<const ResponseGroup> groups);

// What rounding the rewards to bfloat16, as a reward head of that type does, would do to them.
struct RoundedRewards {
  std::int64_t distinct = 0, distinct_rounded = 0;  // numbers among all rewards, as they are and rounded
  std::int64_t pairs = 0;                           // of answers to one prompt whose rewards differ
  double tied = 0;                                  // share of these whose rounded rewards are equal
};
RoundedRewards round_rewards(std::span<const ResponseGroup> groups);

// {mean, deviation, pairs, threshold?, histogram: {edges, counts}, sigmoid: {tau, mean, deviation, histogram}, curve:
// [{delta, eta, pairs, prompts}], thresholds}; gaps are raw but in `sigmoid`, which is of σ(gap/τ), what Algorithm 1 of the
// paper sets η against. `eta` is at τ = 1. The curve has even steps of δ, `thresholds` the same columns at round values
// of η.
Value to_value(const RewardGaps& gaps, std::optional<double> threshold, double tau = 1);

}  // namespace plumb
