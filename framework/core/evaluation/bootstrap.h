// How sure a mean is, by resampling: no assumption on the shape of its distribution.
//
//   std::vector<double> gain = …;                          // by prompt: score of a less score of b
//   Interval b = bootstrap_mean(gain, Random(7));
//   b.low > 0                                              // a is better, at 95 %
//
// Resamples are drawn with replacement; draw i of resample r is a function of (random's key, r, i), so results are the
// same everywhere. Prompts are the units: answers to one prompt, and seeds, are averaged before.
// Thread contract: functions are [any].
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "framework/core/evaluation/interval.h"
#include "plumb/random.h"

namespace plumb {

inline constexpr std::size_t kResamples = 10000;

// The middle 95 % of the means of resamples (percentile interval), with their standard deviation; `above` is the share
// of them above 0, those at 0 counting half, and `p` twice the smaller of the shares at or below and at or above 0, each
// counted with one resample more, so never 0.
// Requires: a sample that is not empty, of finite values.
Interval bootstrap_mean(std::span<const double> sample, const Random& random, std::size_t resamples = kResamples);

// Holm's step-down: p values of several comparisons such that the chance of any false one is as for a single one. In
// the given order. S. Holm, A simple sequentially rejective multiple test procedure (1979).
std::vector<double> holm(std::span<const double> p);

}  // namespace plumb
