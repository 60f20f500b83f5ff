#include "framework/core/evaluation/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "plumb/error.h"

namespace plumb {
namespace {

// Between the two nearest of ascending values.
double quantile(const std::vector<double>& ascending, double q) {
  const double place = q * static_cast<double>(ascending.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t next = std::min(below + 1, ascending.size() - 1);
  return ascending[below] + (place - static_cast<double>(below)) * (ascending[next] - ascending[below]);
}

// The means of all resamples. One draw of 64 bits chooses two items.
std::vector<double> means_of(std::span<const double> sample, const Random& random, std::size_t resamples) {
  const std::uint64_t n = sample.size(), draws = (n + 1) / 2;
  const auto chosen = [&](std::uint64_t bits) { return sample[(bits & 0xFFFFFFFFU) * n >> 32U]; };
  std::vector<double> means(resamples);
  for (std::size_t r = 0; r < resamples; ++r) {
    double sum = 0;
    for (std::uint64_t i = 0; i < draws; ++i) {
      const std::uint64_t bits = random.bits_at(r * draws + i);
      sum += chosen(bits);
      if (2 * i + 1 < n) sum += chosen(bits >> 32U);
    }
    means[r] = sum / static_cast<double>(n);
  }
  return means;
}

}  // namespace

Interval bootstrap_mean(std::span<const double> sample, const Random& random, std::size_t resamples) {
  if (sample.empty()) throw Error(ErrorCode::data, "nothing to compare: the sample is empty");
  if (!std::all_of(sample.begin(), sample.end(), [](double v) { return std::isfinite(v); })) {
    throw Error(ErrorCode::data, "a value to compare is not a finite number");
  }
  Interval out;
  out.count = sample.size();
  out.mean = std::accumulate(sample.begin(), sample.end(), 0.0) / static_cast<double>(sample.size());
  std::vector<double> means = means_of(sample, random, resamples);
  std::sort(means.begin(), means.end());
  out.low = quantile(means, 0.025);
  out.high = quantile(means, 0.975);
  const double n = static_cast<double>(resamples);
  const double centre = std::accumulate(means.begin(), means.end(), 0.0) / n;
  double squares = 0;
  for (double mean : means) squares += (mean - centre) * (mean - centre);
  out.standard_error = std::sqrt(squares / n);
  const auto below = static_cast<double>(std::lower_bound(means.begin(), means.end(), 0.0) - means.begin());
  const auto above = static_cast<double>(means.end() - std::upper_bound(means.begin(), means.end(), 0.0));
  const double at = n - below - above;
  out.above = (above + at / 2) / n;
  out.p = std::min(1.0, 2 * (std::min(below, above) + at + 1) / (n + 1));
  return out;
}

std::vector<double> holm(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> out(p.size());
  double least = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    least = std::max(least, std::min(1.0, p[order[i]] * static_cast<double>(p.size() - i)));
    out[order[i]] = least;
  }
  return out;
}

}  // namespace plumb
