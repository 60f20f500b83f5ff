#include "plumb/statistics.h"

#include <array>
#include <cmath>
#include <vector>

#include "plumb/error.h"

namespace plumb {
inline namespace v1 {

double student_t_95(std::size_t degrees_of_freedom) {
  static constexpr std::array<double, 30> small{
      12.7062047362, 4.3026527297, 3.1824463053, 2.7764451052, 2.5705818356, 2.4469118511, 2.3646242516, 2.3060041352,
      2.2621571628,  2.2281388520, 2.2009851601, 2.1788128297, 2.1603686565, 2.1447866879, 2.1314495456, 2.1199052992,
      2.1098155778,  2.1009220402, 2.0930240544, 2.0859634473, 2.0796138447, 2.0738730679, 2.0686576104, 2.0638985616,
      2.0595385528,  2.0555294386, 2.0518305165, 2.0484071418, 2.0452296421, 2.0422724563};
  if (degrees_of_freedom == 0) return 0;
  if (degrees_of_freedom <= small.size()) return small[degrees_of_freedom - 1];
  // Cornish-Fisher expansion in 1/ν about the normal point; error below 1e-6 from ν = 31 on.
  const double z = 1.959963984540054, v = static_cast<double>(degrees_of_freedom);
  const double z3 = z * z * z, z5 = z3 * z * z, z7 = z5 * z * z;
  return z + (z3 + z) / (4 * v) + (5 * z5 + 16 * z3 + 3 * z) / (96 * v * v) +
         (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * v * v * v);
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
  for (double& value : percent) value *= 100;
  return estimate(percent);
}

Metric to_metric(std::string name, const Estimate& value) {
  return {std::move(name), value.mean,           value.low,
          value.high,      value.standard_error, static_cast<std::int64_t>(value.count)};
}

}  // namespace v1
}  // namespace plumb
