#include "framework/core/evaluation/two_way.h"

#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <vector>

#include "plumb/error.h"

namespace plumb {
namespace {

struct Mean {
  double value = 0, squared_error = 0;  // of the mean: variance (n − 1) over n; 0 for one value
  std::size_t count = 0;
};

Mean mean_of(const std::vector<double>& values) {
  Mean out;
  out.count = values.size();
  const auto n = static_cast<double>(values.size());
  for (const double v : values) out.value += v / n;
  if (values.size() < 2) return out;
  for (const double v : values) out.squared_error += (v - out.value) * (v - out.value) / (n - 1) / n;
  return out;
}

double freedom(const Mean& mean) {
  return mean.count < 2 ? 0 : mean.squared_error * mean.squared_error / static_cast<double>(mean.count - 1);
}

}  // namespace

Interval over_seeds_and_prompts(std::span<const std::map<std::string, double>> gains) {
  if (gains.size() < 2) throw Error(ErrorCode::data, "an interval over seeds wants two of them or more");
  std::map<std::string, std::vector<double>> prompts;
  std::vector<double> seed_means, prompt_means;
  for (const auto& of_seed : gains) {
    if (of_seed.empty()) throw Error(ErrorCode::data, "a seed has nothing to compare");
    std::vector<double> values;
    for (const auto& [prompt, gain] : of_seed) {
      if (!std::isfinite(gain)) throw Error(ErrorCode::data, "a value to compare is not a finite number");
      values.push_back(gain);
      prompts[prompt].push_back(gain);
    }
    seed_means.push_back(mean_of(values).value);
  }
  for (const auto& [prompt, values] : prompts) prompt_means.push_back(mean_of(values).value);
  const Mean seeds = mean_of(seed_means), all = mean_of(prompt_means);

  Interval out;
  out.mean = out.low = out.high = all.value;
  out.count = prompts.size();
  out.seeds = gains.size();
  const double squared = seeds.squared_error + all.squared_error;
  out.standard_error = std::sqrt(squared);
  if (squared <= 0) {  // every value is the same
    out.above = all.value > 0 ? 1 : all.value < 0 ? 0 : 0.5;
    out.p = all.value == 0 ? 1 : 0;
    return out;
  }
  const boost::math::students_t student(squared * squared / (freedom(seeds) + freedom(all)));
  const double half = quantile(complement(student, 0.025)) * out.standard_error;
  out.low = out.mean - half;
  out.high = out.mean + half;
  out.above = cdf(student, out.mean / out.standard_error);
  out.p = 2 * cdf(complement(student, std::abs(out.mean) / out.standard_error));
  return out;
}

}  // namespace plumb
