// A mean and how sure it is.
//
//   Interval gain = over_seeds_and_prompts(gains);        // or bootstrap_mean(sample, random)
//   gain.low > 0                                          // above 0, at 95 %
//
// Thread contract: plain data.
#pragma once

#include <cstddef>

namespace plumb {

struct Interval {
  double mean = 0;           // of the sample itself
  double low = 0, high = 0;  // 95 % interval
  double standard_error = 0;
  double above = 0;       // how sure it is above 0, from 0 to 1
  double p = 1;           // two-sided, of a mean of 0
  std::size_t count = 0;  // prompts
  std::size_t seeds = 1;  // trainings; with one the interval is over prompts alone
};

}  // namespace plumb
