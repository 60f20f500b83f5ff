// Means with their uncertainty, for evaluators and reports.
//
//   plumb::Estimate gap = plumb::paired_difference(scores_of_a, scores_of_b);   // by prompt
//   const bool a_is_better = gap.low > 0;                                       // at 95 %
//
// Thread contract: functions are [any].
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "plumb/records.h"

namespace plumb {
inline namespace v1 {

struct Estimate {
  double mean = 0;
  double standard_error = 0;  // sample standard deviation (n − 1) over √n; 0 for n < 2
  double low = 0, high = 0;   // 95 % interval of the mean: Student's t with n − 1 degrees of freedom
  std::size_t count = 0;
};

// Throws Error(data) for an empty sample or a value that is not finite.
Estimate estimate(std::span<const double> sample);

// Of a[i] − b[i]. Pairing removes what the prompts have in common. Throws Error(data) when the sizes differ.
Estimate paired_difference(std::span<const double> a, std::span<const double> b);

// Wins count 1, ties ½; `preferences` are 1, 0.5 or 0 from the first side's view. In percent, with the standard error
// alpaca_eval publishes: standard deviation (n − 1) of the preferences over √n, times 100. The interval is Wilson's score
// interval for a share, which stays from 0 to 100; where preferences vary less than wins and losses would, for as many
// observations as have their standard error. Throws Error(data) for a preference that is not from 0 to 1.
Estimate win_rate(std::span<const double> preferences);

// The two-sided 95 % point of Student's t.
double student_t_95(std::size_t degrees_of_freedom);

Metric to_metric(std::string name, const Estimate& estimate);

}  // namespace v1
}  // namespace plumb
