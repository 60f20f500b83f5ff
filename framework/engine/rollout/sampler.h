// Drawing a token from logits: temperature, then top-k (all ties at the k-th place kept), then top-p (drops the tail
// whose ascending cumulative probability is ≤ 1 − p, keeps at least one), as HF's warpers do in that order, without
// sorting the whole vocabulary. The draw is a function of (seed, prompt id, response, position).
//
//   TokenId t = draw_token(logits_row, sampling, random_of_response.uniform_at(position));
//
// Thread contract: functions are [any].
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "plumb/generator.h"
#include "plumb/random.h"

namespace plumb {

// The surviving tokens with their probabilities (sum 1), in ascending id order.
std::vector<std::pair<TokenId, float>> filter_logits(std::span<const float> logits, const Sampling& sampling);

// `u` in [0, 1) picks by inverse CDF over the survivors in id order. Temperature 0: the greatest logit, lowest id on
// ties. Throws Error(run_failed) when the logits hold a NaN.
TokenId draw_token(std::span<const float> logits, const Sampling& sampling, double u);

// The stream of one response: Random(seed) derived by prompt id and response number.
Random response_random(std::uint64_t seed, std::string_view prompt_id, std::int64_t response);

}  // namespace plumb
