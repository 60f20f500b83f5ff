#include "framework/engine/rollout/sampler.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>

#include "framework/engine/modeling/lanes.h"
#include "plumb/error.h"

namespace plumb {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Reused from token to token: sampling allocates nothing once warm. After `survive`, ids[i] may be drawn with
// probability weights[i] / total; without a filter `ids` is empty and weights[i] belongs to token i.
struct Survivors {
  std::vector<float> scaled, bests, order, weights;
  std::vector<double> buckets;
  std::vector<TokenId> ids;
  double total = 0;
};

[[noreturn]] void refuse(const char* what) {
  throw Error(ErrorCode::run_failed,
              std::string("cannot draw a token: ") + what +
                  "; the model's weights or its numbers are broken (try dtype float32, or a smaller learning rate)");
}

// out[i] = logits[i] / temperature; returns the greatest.
float scale(std::span<const float> logits, float temperature, float* out) {
  const auto count = static_cast<std::int64_t>(logits.size());
  float most = -kInfinity;
  bool nan = false;
  lanes::on_widest([&]() PLUMB_INLINE {
    const std::int64_t whole = count / lanes::width * lanes::width;
    lanes::Floats greatest = lanes::splat(-kInfinity);
    lanes::Ints unordered{};
    for (std::int64_t i = 0; i < whole; i += lanes::width) {
      const lanes::Floats v = lanes::load(logits.data() + i) / temperature;
      unordered |= v != v;
      greatest = lanes::max(v, greatest);
      lanes::store(out + i, v);
    }
    nan = lanes::any(unordered);
    most = lanes::max(greatest);
    for (std::int64_t i = whole; i < count; ++i) {
      const float v = logits[static_cast<std::size_t>(i)] / temperature;
      nan = nan || v != v;
      most = v > most ? v : most;
      out[i] = v;
    }
  });
  if (nan) refuse("the logits hold a NaN");
  if (most == kInfinity) refuse("the logits hold an infinity");
  if (most == -kInfinity) refuse("every logit is minus infinity");
  return most;
}

// weights[i] = e^(values[i] - most); returns their sum.
double exponentials(const float* values, std::size_t size, float most, float* weights) {
  const auto count = static_cast<std::int64_t>(size);
  double total = 0;
  lanes::on_widest([&]() PLUMB_INLINE {
    constexpr std::int64_t block = 64 * lanes::width;  // sums of this length stay exact enough in float
    std::int64_t i = 0;
    while (i + lanes::width <= count) {
      lanes::Floats sum{};
      const std::int64_t end = std::min(count / lanes::width * lanes::width, i + block);
      for (; i < end; i += lanes::width) {
        const lanes::Floats e = lanes::exp(lanes::load(values + i) - most);
        sum += e;
        lanes::store(weights + i, e);
      }
      total += lanes::sum(sum);
    }
    if (i < count) {
      float rest[lanes::width];
      for (std::int64_t j = 0; j < lanes::width; ++j) rest[j] = i + j < count ? values[i + j] : -kInfinity;
      const lanes::Floats e = lanes::exp(lanes::load(rest) - most);
      lanes::store(rest, e);
      std::copy(rest, rest + (count - i), weights + i);
      total += lanes::sum(e);
    }
  });
  return total;
}

// Greatest value of each residue class of the index modulo `classes` (a multiple of the lane width).
void best_of_classes(const std::vector<float>& values, std::size_t classes, std::vector<float>& bests) {
  bests.assign(classes, -kInfinity);
  lanes::on_widest([&]() PLUMB_INLINE {
    for (std::size_t row = 0; row < values.size(); row += classes) {
      const std::size_t count = std::min(classes, values.size() - row);
      std::size_t i = 0;
      for (; i + lanes::width <= count; i += lanes::width) {
        lanes::store(&bests[i], lanes::max(lanes::load(&values[row + i]), lanes::load(&bests[i])));
      }
      for (; i < count; ++i) bests[i] = std::max(bests[i], values[row + i]);
    }
  });
}

void gather_at_least(const std::vector<float>& values, float bound, std::vector<TokenId>& ids) {
  ids.clear();
  lanes::on_widest([&]() PLUMB_INLINE {
    constexpr std::size_t block = 4 * lanes::width;
    for (std::size_t i = 0; i < values.size(); i += block) {
      const std::size_t end = std::min(values.size(), i + block);
      if (end == i + block) {
        lanes::Ints hit{};
        for (std::size_t j = i; j < end; j += lanes::width) hit |= lanes::load(&values[j]) >= bound;
        if (!lanes::any(hit)) continue;
      }
      for (std::size_t j = i; j < end; ++j) {
        if (values[j] >= bound) ids.push_back(static_cast<TokenId>(j));
      }
    }
  });
}

// Ids, ascending, of the k greatest values and of all that tie with the k-th. The k-th best of the bests of disjoint
// classes is a lower bound of the k-th best value, and a close one, so only a few values are left to be ranked.
void keep_top_k(const std::vector<float>& values, std::size_t k, Survivors& s) {
  const std::size_t step = lanes::width;
  const std::size_t classes = std::max(2 * k, values.size() / 64) / step * step + step;
  float bound = -kInfinity;
  if (classes < values.size()) {
    best_of_classes(values, classes, s.bests);
    std::nth_element(s.bests.begin(), s.bests.begin() + static_cast<std::ptrdiff_t>(k - 1), s.bests.end(),
                     std::greater<>());
    bound = s.bests[k - 1];
  }
  gather_at_least(values, bound, s.ids);
  if (s.ids.size() <= k) return;
  s.order.clear();
  for (TokenId id : s.ids) s.order.push_back(values[static_cast<std::size_t>(id)]);
  std::nth_element(s.order.begin(), s.order.begin() + static_cast<std::ptrdiff_t>(k - 1), s.order.end(),
                   std::greater<>());
  const float kth = s.order[k - 1];
  std::erase_if(s.ids, [&](TokenId id) { return values[static_cast<std::size_t>(id)] < kth; });
}

// Where top-p cuts: weights below `weight` go; of those equal to it, `ties_dropped` go.
struct Cut {
  float weight = 0;
  std::size_t ties_dropped = 0;
};

// HF: in ascending order, a token goes while the cumulative probability up to and with it is at most 1 - p. A histogram
// of mass over the leading bits of the weights, which order as the weights do, finds the few that must be sorted.
Cut find_cut(Survivors& s, double top_p) {
  constexpr int dropped_bits = 18;  // leaves the exponent and five bits: weights of a bucket differ by 3 % at most
  const auto bucket_of = [](float w) { return std::bit_cast<std::uint32_t>(w) >> dropped_bits; };
  const auto limit = static_cast<float>(1.0 - top_p);
  const auto goes = [&](double mass) { return static_cast<float>(mass / s.total) <= limit; };
  double below = 0;  // mass of what is known to go
  if (s.weights.size() > 256) {
    s.buckets.assign(bucket_of(1.0F) + 1, 0.0);
    for (float w : s.weights) s.buckets[bucket_of(w)] += w;
    std::uint32_t cut = 0;
    while (cut + 1 < s.buckets.size() && goes(below + s.buckets[cut])) below += s.buckets[cut++];
    s.order.clear();
    for (float w : s.weights) {
      if (bucket_of(w) == cut) s.order.push_back(w);
    }
  } else {
    s.order = s.weights;
  }
  std::sort(s.order.begin(), s.order.end());
  Cut cut;
  for (std::size_t i = 0; i < s.order.size(); ++i) {
    if (i == 0 || s.order[i] != cut.weight) cut = {s.order[i], 0};
    below += s.order[i];
    if (!goes(below) || i + 1 == s.order.size()) break;
    ++cut.ties_dropped;
  }
  return cut;
}

void keep_top_p(Survivors& s, double top_p) {
  const Cut cut = find_cut(s, top_p);
  std::size_t kept = 0, ties = 0;
  for (float w : s.weights) ties += w == cut.weight ? 1 : 0;
  std::size_t ties_kept = ties - std::min(cut.ties_dropped, ties - 1);  // the lower ids stay
  s.total = 0;
  const bool whole = s.ids.empty();
  if (whole) s.ids.resize(s.weights.size());
  for (std::size_t i = 0; i < s.weights.size(); ++i) {
    const float w = s.weights[i];
    if (w < cut.weight || (w == cut.weight && ties_kept == 0)) continue;
    if (w == cut.weight) --ties_kept;
    s.ids[kept] = whole ? static_cast<TokenId>(i) : s.ids[i];
    s.weights[kept++] = w;
    s.total += w;
  }
  s.ids.resize(kept);
  s.weights.resize(kept);
}

void survive(std::span<const float> logits, const Sampling& sampling, Survivors& s) {
  s.ids.clear();
  s.scaled.resize(logits.size());
  const float most = scale(logits, static_cast<float>(sampling.temperature), s.scaled.data());
  const bool top_k = sampling.top_k > 0 && static_cast<std::size_t>(sampling.top_k) < logits.size();
  if (top_k) {
    keep_top_k(s.scaled, static_cast<std::size_t>(sampling.top_k), s);
    for (std::size_t i = 0; i < s.ids.size(); ++i) s.scaled[i] = s.scaled[static_cast<std::size_t>(s.ids[i])];
    s.scaled.resize(s.ids.size());
  }
  s.weights.resize(s.scaled.size());
  s.total = exponentials(s.scaled.data(), s.scaled.size(), most, s.weights.data());
  if (sampling.top_p < 1) keep_top_p(s, sampling.top_p);
}

TokenId greatest(std::span<const float> logits) {
  thread_local std::vector<float> same;
  same.resize(logits.size());
  const float most = scale(logits, 1.0F, same.data());
  return static_cast<TokenId>(std::find(logits.begin(), logits.end(), most) - logits.begin());
}

// Index of the first weight at which the running sum passes `target`; the last positive one when rounding lets none.
std::size_t pick(const std::vector<float>& weights, double target) {
  constexpr std::size_t block = 256;
  double passed = 0;
  std::size_t begin = 0;
  for (; begin + block < weights.size(); begin += block) {
    float sum = 0;
    lanes::on_widest([&]() PLUMB_INLINE {
      lanes::Floats sums{};
      for (std::size_t i = begin; i < begin + block; i += lanes::width) sums += lanes::load(&weights[i]);
      sum = lanes::sum(sums);
    });
    if (passed + sum > target) break;
    passed += sum;
  }
  std::size_t last = 0;
  for (std::size_t i = begin; i < weights.size(); ++i) {
    if (weights[i] <= 0) continue;
    passed += weights[i];
    last = i;
    if (passed > target) return i;
  }
  while (last == 0 && begin-- > 0) last = weights[begin] > 0 ? begin : 0;
  return last;
}

Survivors& scratch() {
  thread_local Survivors survivors;
  return survivors;
}

void check(std::span<const float> logits) {
  if (logits.empty()) throw Error(ErrorCode::run_failed, "cannot draw a token from no logits");
}

}  // namespace

std::vector<std::pair<TokenId, float>> filter_logits(std::span<const float> logits, const Sampling& sampling) {
  check(logits);
  if (sampling.temperature == 0) return {{greatest(logits), 1.0F}};
  Survivors& s = scratch();
  survive(logits, sampling, s);
  std::vector<std::pair<TokenId, float>> out;
  out.reserve(s.weights.size());
  for (std::size_t i = 0; i < s.weights.size(); ++i) {
    if (s.weights[i] <= 0) continue;
    out.emplace_back(s.ids.empty() ? static_cast<TokenId>(i) : s.ids[i], static_cast<float>(s.weights[i] / s.total));
  }
  return out;
}

TokenId draw_token(std::span<const float> logits, const Sampling& sampling, double u) {
  check(logits);
  if (sampling.temperature == 0) return greatest(logits);
  Survivors& s = scratch();
  survive(logits, sampling, s);
  const std::size_t index = pick(s.weights, u * s.total);
  return s.ids.empty() ? static_cast<TokenId>(index) : s.ids[index];
}

Random response_random(std::uint64_t seed, std::string_view prompt_id, std::int64_t response) {
  return Random(seed).derive(prompt_id).derive(static_cast<std::uint64_t>(response));
}

}  // namespace plumb
