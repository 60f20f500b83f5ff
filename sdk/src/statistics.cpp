#include "plumb/statistics.h"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <vector>

#include "plumb/error.h"

namespace plumb {
inline namespace v1 {

double student_t_95(std::size_t degrees_of_freedom) {
  if (degrees_of_freedom == 0) return 0;
  return quantile(complement(boost::math::students_t(static_cast<double>(degrees_of_freedom)), 0.025));
}

Estimate estimate(std::span<const double> sample) {
  if (sample.empty()) throw Error(ErrorCode::data, "no values to average: the sample is empty");
  Estimate result;
  result.count = sample.size();
  const double n = static_cast<double>(sample.size());
  for (double value : sample) {
    if (!std::isfinite(value)) throw Error(ErrorCode::data, "a value to be averaged is not a finite number");
    result.mean += value;
  }
  result.mean /= n;
  if (sample.size() > 1) {
    double squares = 0;
    for (double value : sample) squares += (value - result.mean) * (value - result.mean);
    result.standard_error = std::sqrt(squares / (n - 1) / n);
  }
  const double half = student_t_95(sample.size() - 1) * result.standard_error;
  result.low = result.mean - half;
  result.high = result.mean + half;
  return result;
}

Estimate paired_difference(std::span<const double> a, std::span<const double> b) {
  if (a.size() != b.size()) {
    throw Error(ErrorCode::data, "a paired difference needs equally many values: " + std::to_string(a.size()) +
                                     " and " + std::to_string(b.size()));
  }
  std::vector<double> differences(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) differences[i] = a[i] - b[i];
  return estimate(differences);
}

Estimate win_rate(std::span<const double> preferences) {
  std::vector<double> percent(preferences.begin(), preferences.end());
  for (const double value : percent) {
    if (!(value >= 0 && value <= 1)) {
      throw Error(ErrorCode::data, "a preference of " + std::to_string(value) + "; wanted one from 0 to 1");
    }
  }
  for (double& value : percent) value *= 100;
  Estimate rate = estimate(percent);
  const double z = quantile(complement(boost::math::normal(), 0.025)), z2 = z * z;
  const double share = rate.mean / 100, squared_error = rate.standard_error * rate.standard_error / 1e4;
  // Ties and means over several answers vary less than wins and losses: they are worth more observations.
  const double worth = squared_error > 0 ? share * (1 - share) / squared_error : 0;
  const double n = std::max(static_cast<double>(rate.count), worth);
  const double centre = (share + z2 / (2 * n)) / (1 + z2 / n);
  const double half = z / (1 + z2 / n) * std::sqrt(share * (1 - share) / n + z2 / (4 * n * n));
  rate.low = 100 * std::max(0.0, centre - half);
  rate.high = 100 * std::min(1.0, centre + half);
  return rate;
}

Metric to_metric(std::string name, const Estimate& value) {
  return {std::move(name), value.mean,           value.low,
          value.high,      value.standard_error, static_cast<std::int64_t>(value.count)};
}

}  // namespace v1
}  // namespace plumb
