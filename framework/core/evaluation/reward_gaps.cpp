#include "framework/core/evaluation/reward_gaps.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <set>

namespace plumb {
namespace {

std::size_t count_above(const std::vector<double>& ascending, double delta) {
  return static_cast<std::size_t>(ascending.end() - std::upper_bound(ascending.begin(), ascending.end(), delta));
}

constexpr std::size_t bins = 60;

Value histogram(const std::vector<double>& values, double bottom, double top) {
  Value::List edges, counts;
  std::vector<std::int64_t> filled(bins);
  for (double value : values) {
    ++filled[std::min(bins - 1,
                      static_cast<std::size_t>((value - bottom) / (top - bottom) * static_cast<double>(bins)))];
  }
  for (std::size_t i = 0; i <= bins; ++i) {
    edges.emplace_back(bottom + (top - bottom) * static_cast<double>(i) / static_cast<double>(bins));
  }
  for (std::int64_t count : filled) counts.emplace_back(count);
  return Value::map({{"edges", std::move(edges)}, {"counts", std::move(counts)}});
}

}  // namespace

std::size_t RewardGaps::pairs_above(double delta) const {
  return count_above(gaps, delta);
}
std::size_t RewardGaps::prompts_above(double delta) const {
  return count_above(largest, delta);
}

RewardGaps measure_reward_gaps(std::span<const ResponseGroup> groups) {
  RewardGaps result;
  for (const ResponseGroup& group : groups) {
    double largest = 0;
    for (std::size_t i = 0; i < group.responses.size(); ++i) {
      for (std::size_t j = i + 1; j < group.responses.size(); ++j) {
        const double gap = std::abs(*group.responses[i].reward - *group.responses[j].reward);
        result.gaps.push_back(gap);
        largest = std::max(largest, gap);
      }
    }
    if (group.responses.size() > 1) result.largest.push_back(largest);
  }
  std::sort(result.gaps.begin(), result.gaps.end());
  std::sort(result.largest.begin(), result.largest.end());
  const double n = static_cast<double>(result.gaps.size());
  for (double gap : result.gaps) result.mean += gap / n;
  double squares = 0;
  for (double gap : result.gaps) squares += (gap - result.mean) * (gap - result.mean);
  if (result.gaps.size() > 1) result.deviation = std::sqrt(squares / (n - 1));
  return result;
}

namespace {

// To the nearest number with eight significant bits, ties to the even one.
float to_bfloat16(double number) {
  auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(number));
  bits += 0x7FFF + ((bits >> 16) & 1);
  return std::bit_cast<float>(bits & 0xFFFF0000U);
}

}  // namespace

RoundedRewards round_rewards(std::span<const ResponseGroup> groups) {
  std::set<double> distinct;
  std::set<float> distinct_rounded;
  RoundedRewards out;
  std::int64_t tied = 0;
  for (const ResponseGroup& group : groups) {
    for (std::size_t i = 0; i < group.responses.size(); ++i) {
      const double one = *group.responses[i].reward;
      distinct.insert(one);
      distinct_rounded.insert(to_bfloat16(one));
      for (std::size_t j = 0; j < i; ++j) {
        const double other = *group.responses[j].reward;
        if (one == other) continue;
        ++out.pairs;
        tied += to_bfloat16(one) == to_bfloat16(other) ? 1 : 0;
      }
    }
  }
  out.distinct = static_cast<std::int64_t>(distinct.size());
  out.distinct_rounded = static_cast<std::int64_t>(distinct_rounded.size());
  out.tied = out.pairs == 0 ? 0 : static_cast<double>(tied) / static_cast<double>(out.pairs);
  return out;
}

std::optional<double> reward_length_correlation(std::span<const ResponseGroup> groups) {
  double both = 0, of_rewards = 0, of_lengths = 0;
  for (const ResponseGroup& group : groups) {
    const double n = static_cast<double>(group.responses.size());
    double reward = 0, length = 0;
    for (const Response& response : group.responses) {
      reward += *response.reward / n;
      length += static_cast<double>(response.text.size()) / n;
    }
    for (const Response& response : group.responses) {
      const double r = *response.reward - reward, l = static_cast<double>(response.text.size()) - length;
      both += r * l;
      of_rewards += r * r;
      of_lengths += l * l;
    }
  }
  if (of_rewards == 0 || of_lengths == 0) return std::nullopt;
  return both / std::sqrt(of_rewards * of_lengths);
}

namespace {

Value through_sigmoid(const RewardGaps& gaps, double tau) {
  std::vector<double> values;
  double mean = 0, squares = 0;
  const double n = static_cast<double>(gaps.gaps.size());
  for (const double gap : gaps.gaps) values.push_back(1 / (1 + std::exp(-gap / tau)));
  for (const double value : values) mean += value / n;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return Value::map({{"tau", tau},
                     {"mean", mean},
                     {"deviation", values.size() > 1 ? std::sqrt(squares / (n - 1)) : 0.0},
                     {"histogram", histogram(values, 0.5, 1)}});
}

}  // namespace

Value to_value(const RewardGaps& gaps, std::optional<double> threshold, double tau) {
  constexpr int kSteps = 100;
  const double top = gaps.gaps.empty() ? 1.0 : gaps.gaps.back();
  Value::List curve;
  for (int step = 0; step <= kSteps; ++step) {
    const double delta = top * step / kSteps;
    curve.push_back(Value::map({{"delta", delta},
                                {"eta", 1 / (1 + std::exp(-delta))},
                                {"pairs", static_cast<std::int64_t>(gaps.pairs_above(delta))},
                                {"prompts", static_cast<std::int64_t>(gaps.prompts_above(delta))}}));
  }
  Value::List thresholds;
  for (const double eta : {0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.99}) {
    const double delta = std::log(eta / (1 - eta));
    thresholds.push_back(Value::map({{"eta", eta},
                                     {"delta", delta},
                                     {"pairs", static_cast<std::int64_t>(gaps.pairs_above(delta))},
                                     {"prompts", static_cast<std::int64_t>(gaps.prompts_above(delta))}}));
  }
  Value value = Value::map({{"mean", gaps.mean},
                            {"deviation", gaps.deviation},
                            {"pairs", static_cast<std::int64_t>(gaps.gaps.size())},
                            {"histogram", histogram(gaps.gaps, 0, top == 0 ? 1 : top)},
                            {"sigmoid", through_sigmoid(gaps, tau)},
                            {"curve", std::move(curve)},
                            {"thresholds", std::move(thresholds)}});
  if (threshold) value.set("threshold", *threshold);
  return value;
}

}  // namespace plumb
