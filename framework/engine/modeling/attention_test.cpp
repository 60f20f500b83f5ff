#include "framework/engine/modeling/attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/stack.h>

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <numeric>

namespace {

using plumb::AttentionOptions;
using plumb::PromptGroup;
using plumb::SequenceAttention;

at::Tensor wave(at::IntArrayRef shape, double step, at::ScalarType type) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  return at::arange(1, count + 1, at::kDouble).mul(step).sin().mul(2).to(type).reshape(shape);
}

struct Case {
  std::vector<PromptGroup> groups;
  std::int64_t heads, kv_heads, dim;
  at::ScalarType type;

  [[nodiscard]] std::int64_t tokens() const {
    std::int64_t total = 0;
    for (const auto& g : groups) total += std::accumulate(g.responses.begin(), g.responses.end(), g.prompt);
    return total;
  }
};

// Every response with its prompt as a sequence of its own, one head at a time, with a dense mask: the definition.
at::Tensor by_definition(const Case& c, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                         std::optional<std::int64_t> window = {}) {
  const double scale = 1 / std::sqrt(static_cast<double>(c.dim));
  const auto attend = [&](const at::Tensor& index, std::int64_t skip) {
    const std::int64_t n = index.size(0);
    at::Tensor mask = at::ones({n, n}, at::kBool).tril();
    if (window) mask = mask.logical_and(at::ones({n, n}, at::kBool).triu(1 - *window));
    std::vector<at::Tensor> heads;
    for (std::int64_t h = 0; h < c.heads; ++h) {
      const std::int64_t shared = h / (c.heads / c.kv_heads);
      const at::Tensor scores =
          at::matmul(q.index_select(0, index).select(1, h), k.index_select(0, index).select(1, shared).t()) * scale;
      const at::Tensor weights =
          at::softmax(scores.masked_fill(mask.logical_not(), -std::numeric_limits<double>::infinity()), 1);
      heads.push_back(at::matmul(weights, v.index_select(0, index).select(1, shared)));
    }
    return at::stack(heads, 1).narrow(0, skip, n - skip);
  };
  std::vector<at::Tensor> parts;
  std::int64_t at = 0;
  for (const PromptGroup& group : c.groups) {
    const at::Tensor prompt = at::arange(at, at + group.prompt, at::kLong);
    if (group.prompt > 0) parts.push_back(attend(prompt, 0));
    at += group.prompt;
    for (const std::int64_t length : group.responses) {
      parts.push_back(attend(at::cat({prompt, at::arange(at, at + length, at::kLong)}), group.prompt));
      at += length;
    }
  }
  return at::cat(parts);
}

double distance(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

struct Leaves {
  at::Tensor q, k, v;
};

Leaves leaves(const Case& c, at::ScalarType type) {
  const auto make = [&](std::int64_t heads, double step) {
    return wave({c.tokens(), heads, c.dim}, step, c.type).to(type).detach().set_requires_grad(true);
  };
  return {make(c.heads, 0.7), make(c.kv_heads, 1.3), make(c.kv_heads, 0.9)};
}

// Output and all three gradients against the definition in double.
template <class Attend>
void compare(const Case& c, double bound, const Attend& attend, std::optional<std::int64_t> window = {}) {
  const at::Tensor weights = wave({c.tokens(), c.heads, c.dim}, 0.37, at::kDouble);
  const Leaves mine = leaves(c, c.type), reference = leaves(c, at::kDouble);
  const at::Tensor out = attend(mine.q, mine.k, mine.v);
  const at::Tensor wanted = by_definition(c, reference.q, reference.k, reference.v, window);
  BOOST_REQUIRE(out.sizes() == wanted.sizes());
  BOOST_TEST(distance(out, wanted) < bound);
  (out * weights.to(c.type)).sum().backward();
  (wanted * weights).sum().backward();
  BOOST_TEST(distance(mine.q.grad(), reference.q.grad()) < bound);
  BOOST_TEST(distance(mine.k.grad(), reference.k.grad()) < bound);
  BOOST_TEST(distance(mine.v.grad(), reference.v.grad()) < bound);
}

const std::vector<PromptGroup> groups{{7, {3, 9, 1}}, {1, {5}}, {7, {60, 2, 33, 33}}, {40, {100, 99, 4}}, {3, {2, 2}}};

}  // namespace

BOOST_AUTO_TEST_SUITE(attention)

BOOST_AUTO_TEST_CASE(shared_prompt_equals_separate_sequences) {
  for (const auto& [heads, kv_heads] : {std::pair<std::int64_t, std::int64_t>{4, 4}, {6, 2}}) {
    for (const auto& [type, bound] : {std::pair{at::kDouble, 1e-12}, {at::kFloat, 2e-5}}) {
      const Case c{groups, heads, kv_heads, 8, type};
      compare(c, bound, [&](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
        return SequenceAttention::shared(c.groups).attend(0, q, k, v, {});
      });
    }
  }
}

BOOST_AUTO_TEST_CASE(short_sequences_have_a_kernel_of_their_own) {
  for (const auto& [heads, kv_heads, dim] :
       {std::tuple<std::int64_t, std::int64_t, std::int64_t>{4, 4, 32}, {6, 2, 16}, {2, 1, 64}, {2, 2, 128}}) {
    const Case c{groups, heads, kv_heads, dim, at::kFloat};
    const SequenceAttention attention = SequenceAttention::shared(c.groups);
    const auto shape = at::ones({1, heads, dim});
    BOOST_TEST(plumb::takes_short_attention(attention.plan(), shape, shape));
    compare(c, 5e-5, [&](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
      return SequenceAttention::shared(c.groups).attend(0, q, k, v, {});
    });
  }
}

BOOST_AUTO_TEST_CASE(half_precision_stays_near) {
  const Case c{groups, 4, 2, 16, at::kBFloat16};
  compare(c, 0.15, [&](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
    return SequenceAttention::shared(c.groups).attend(0, q, k, v, {});
  });
}

BOOST_AUTO_TEST_CASE(plain_sequences_of_any_length) {
  std::vector<PromptGroup> rows;
  std::vector<std::int64_t> lengths{1, 200, 30, 31, 90, 2, 120, 64, 48, 49, 1};
  for (const std::int64_t length : lengths) rows.push_back({length, {}});
  for (const std::int64_t kv_heads : {4, 1}) {
    const Case c{rows, 4, kv_heads, 8, at::kDouble};
    compare(c, 1e-12, [&](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
      return SequenceAttention::causal(lengths).attend(0, q, k, v, {});
    });
  }
}

BOOST_AUTO_TEST_CASE(plain_operators_agree_with_the_flash_kernel) {
  const Case c{groups, 6, 3, 8, at::kDouble};
  compare(c, 1e-12, [&](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
    const auto lists = plumb::plain_lists(SequenceAttention::shared(c.groups).plan(), at::kCPU);
    return plumb::plain_attention(*lists, q, k, v, 1 / std::sqrt(8.0), 0);
  });
}

BOOST_AUTO_TEST_CASE(sliding_window_hides_what_is_far) {
  const Case c{groups, 4, 2, 8, at::kDouble};
  for (const std::int64_t window : {1, 3, 10, 100, 1000}) {
    compare(
        c, 1e-12,
        [&](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
          return SequenceAttention::shared(c.groups).attend(0, q, k, v, AttentionOptions{.window = window});
        },
        window);
  }
}

BOOST_AUTO_TEST_CASE(takes_strided_inputs_and_a_scale) {
  const Case c{groups, 4, 4, 8, at::kDouble};
  const at::Tensor fused = wave({c.tokens(), 4, 3, 8}, 0.7, at::kDouble);
  const auto parts = fused.unbind(2);
  const at::Tensor out = SequenceAttention::shared(groups).attend(0, parts[0], parts[1], parts[2], {.scale = 0.1});
  const at::Tensor wanted = by_definition(c, parts[0] * (0.1 * std::sqrt(8.0)), parts[1], parts[2]);
  BOOST_TEST(distance(out, wanted) < 1e-12);
}

// One spoilt query, or one spoilt key, of the third sequence: whoever sees it has NaN, nobody else has.
BOOST_AUTO_TEST_CASE(a_nan_reaches_exactly_those_who_see_it) {
  const std::vector<std::int64_t> short_rows{9, 30, 13}, long_rows{9, 200, 181};
  for (const auto& [lengths, dim, type] : {std::tuple{short_rows, 16, at::kFloat},
                                           {short_rows, 8, at::kFloat},
                                           {long_rows, 16, at::kFloat},
                                           {short_rows, 16, at::kBFloat16},
                                           {long_rows, 8, at::kDouble}}) {
    const std::int64_t third = lengths[0] + lengths[1], tokens = third + lengths[2], spoilt = third + lengths[2] - 3;
    for (const bool key : {false, true}) {
      at::Tensor q = wave({tokens, 4, dim}, 0.7, type), k = wave({tokens, 2, dim}, 1.3, type);
      (key ? k : q)[spoilt][1][2] = std::numeric_limits<double>::quiet_NaN();
      const at::Tensor out =
          SequenceAttention::causal(lengths).attend(0, q, k, wave({tokens, 2, dim}, 0.9, type), {}).isnan();
      const at::Tensor heads = out.any(2);  // [tokens, heads]
      for (std::int64_t t = 0; t < tokens; ++t) {
        for (std::int64_t h = 0; h < 4; ++h) {
          const bool sees = key ? t >= spoilt && h >= 2 : t == spoilt && h == 1;
          BOOST_TEST(heads[t][h].item<bool>() == sees, "token " << t << ", head " << h << ", dim " << dim);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(padding_is_bounded) {
  std::vector<std::int64_t> lengths;
  for (std::int64_t i = 1; i <= 300; ++i) lengths.push_back(i);
  std::int64_t padded = 0, real = 0;
  const SequenceAttention attention = SequenceAttention::causal(lengths);
  for (const auto& call : attention.plan().own) {
    padded += call.longest * static_cast<std::int64_t>(call.rows.size());
    for (const auto& row : call.rows) real += row.queries.length;
  }
  BOOST_TEST(real == 300 * 301 / 2);
  BOOST_TEST(static_cast<double>(padded) < 1.25 * static_cast<double>(real));
}

BOOST_AUTO_TEST_SUITE_END()
