#include "framework/engine/modeling/kv_cache.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <map>
#include <vector>

#include "framework/engine/modeling/decode_attention.h"
#include "plumb/error.h"
#include "plumb/random.h"

namespace plumb {
namespace {

struct Case {
  const char* name;
  std::int64_t heads, kv_heads, dim;
  std::optional<std::int64_t> window;
  at::ScalarType dtype = at::kFloat;
  bool tensors = false;  // the cache made of LibTorch's operators
};
std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.name;
}

at::Tensor random_tensor(Random& random, std::vector<std::int64_t> shape, at::ScalarType dtype) {
  at::Tensor out = at::empty(shape, at::kFloat);
  auto* data = out.data_ptr<float>();
  for (std::int64_t i = 0; i < out.numel(); ++i) data[i] = static_cast<float>(random.normal());
  return out.to(dtype);
}

// Every key and value of one row so far, as [token][kv_head * dim], of one layer.
struct History {
  std::vector<std::vector<float>> keys, values;
  void add(const at::Tensor& k, const at::Tensor& v) {
    const at::Tensor key = k.to(at::kFloat).contiguous(), value = v.to(at::kFloat).contiguous();
    keys.emplace_back(key.data_ptr<float>(), key.data_ptr<float>() + key.numel());
    values.emplace_back(value.data_ptr<float>(), value.data_ptr<float>() + value.numel());
  }
};

// softmax(q·k / √dim) v over the last `window` tokens, by the definition.
std::vector<double> plain_attention(const History& past, const float* q, std::int64_t kv_head, const Case& c) {
  const auto tokens = static_cast<std::int64_t>(past.keys.size());
  const std::int64_t first = std::max<std::int64_t>(0, tokens - c.window.value_or(tokens));
  std::vector<double> weights, out(static_cast<std::size_t>(c.dim), 0);
  double total = 0;
  for (std::int64_t t = first; t < tokens; ++t) {
    double dot = 0;
    for (std::int64_t d = 0; d < c.dim; ++d) dot += q[d] * past.keys[t][static_cast<std::size_t>(kv_head * c.dim + d)];
    weights.push_back(std::exp(dot / std::sqrt(static_cast<double>(c.dim))));
    total += weights.back();
  }
  for (std::int64_t t = first; t < tokens; ++t) {
    for (std::int64_t d = 0; d < c.dim; ++d) {
      out[static_cast<std::size_t>(d)] += weights[static_cast<std::size_t>(t - first)] / total *
                                          past.values[t][static_cast<std::size_t>(kv_head * c.dim + d)];
    }
  }
  return out;
}

// Rows of several prompts come, grow and go; every output is compared with the definition.
class Session {
 public:
  explicit Session(const Case& c)
      : case_(c),
        random_(5),
        shape_{.layers = 2,
               .hidden = c.heads * c.dim,
               .heads = c.heads,
               .kv_heads = c.kv_heads,
               .head_dim = c.dim,
               .vocabulary = 10,
               .context = 100} {
    cache_ = c.tensors ? make_tensor_kv_cache(shape_, c.dtype, at::kCPU) : make_cpu_kv_cache(shape_, c.dtype);
  }

  std::size_t prompt(std::int64_t length) {
    const std::size_t slot = cache_->add_prompt(length);
    prompts_[slot].assign(2, {});
    for (std::int64_t layer = 0; layer < 2; ++layer) {
      const at::Tensor k = random_tensor(random_, {length, case_.kv_heads, case_.dim}, case_.dtype);
      const at::Tensor v = random_tensor(random_, {length, case_.kv_heads, case_.dim}, case_.dtype);
      cache_->store_prompt(slot, layer, k, v);
      for (std::int64_t t = 0; t < length; ++t) prompts_[slot][static_cast<std::size_t>(layer)].add(k[t], v[t]);
    }
    return slot;
  }

  std::size_t row(std::size_t prompt) {
    const std::size_t slot = cache_->add_row(prompt);
    rows_[slot] = prompts_[prompt];
    return slot;
  }

  // One token for each of the rows; returns the greatest difference from the definition.
  double step(const std::vector<std::size_t>& rows) {
    const auto count = static_cast<std::int64_t>(rows.size());
    const auto attention = cache_->begin_step(rows);
    double worst = 0;
    for (std::int64_t layer = 0; layer < 2; ++layer) {
      const at::Tensor q = random_tensor(random_, {count, case_.heads, case_.dim}, case_.dtype);
      const at::Tensor k = random_tensor(random_, {count, case_.kv_heads, case_.dim}, case_.dtype);
      const at::Tensor v = random_tensor(random_, {count, case_.kv_heads, case_.dim}, case_.dtype);
      const at::Tensor out = attention->attend(layer, q, k, v, {.scale = {}, .window = case_.window});
      BOOST_REQUIRE(out.scalar_type() == case_.dtype);
      const at::Tensor queries = q.to(at::kFloat).contiguous(), got = out.to(at::kFloat).contiguous();
      for (std::int64_t i = 0; i < count; ++i) {
        History& past = rows_[rows[static_cast<std::size_t>(i)]][static_cast<std::size_t>(layer)];
        past.add(k[i], v[i]);
        for (std::int64_t h = 0; h < case_.heads; ++h) {
          const std::int64_t at = (i * case_.heads + h) * case_.dim;
          const auto want =
              plain_attention(past, queries.data_ptr<float>() + at, h / (case_.heads / case_.kv_heads), case_);
          for (std::int64_t d = 0; d < case_.dim; ++d) {
            worst = std::max(worst, std::abs(want[static_cast<std::size_t>(d)] - got.data_ptr<float>()[at + d]));
          }
        }
      }
    }
    cache_->end_step(rows);
    return worst;
  }

  KvCache& cache() { return *cache_; }

 private:
  Case case_;
  Random random_;
  ModelShape shape_;
  std::unique_ptr<KvCache> cache_;
  std::map<std::size_t, std::vector<History>> prompts_, rows_;
};

const std::vector<Case> cases{
    {"many_heads", 4, 4, 32, {}},
    {"grouped_queries", 6, 2, 16, {}},
    {"one_key_head_and_an_odd_dimension", 5, 1, 7, {}},
    {"wide_head", 2, 2, 80, {}},
    {"sliding_window", 4, 2, 8, 9},
    {"window_of_one", 2, 1, 8, 1},
    {"bfloat16", 4, 2, 32, {}, at::kBFloat16},
    {"operators_grouped_queries", 6, 2, 16, {}, at::kFloat, true},
    {"operators_sliding_window", 4, 2, 8, 9, at::kFloat, true},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(kv_cache)

BOOST_DATA_TEST_CASE(attends_as_defined_while_rows_come_and_go, boost::unit_test::data::make(cases), c) {
  const double bound = c.dtype == at::kFloat ? 2e-6 : 2e-2;
  Session session(c);
  const std::size_t a = session.prompt(21), b = session.prompt(1);
  std::vector<std::size_t> rows{session.row(a), session.row(b), session.row(a), session.row(a), session.row(b)};
  double worst = 0;
  for (int i = 0; i < 18; ++i) worst = std::max(worst, session.step(rows));
  session.cache().drop_row(rows[2]);  // a finished row's place is taken by one of a new prompt
  const std::size_t d = session.prompt(16);
  rows[2] = session.row(d);
  for (int i = 0; i < 3; ++i) rows.push_back(session.row(a));
  for (int i = 0; i < 20; ++i) worst = std::max(worst, session.step(rows));
  worst = std::max(worst, session.step({rows[2], rows[0]}));  // some rows, in another order
  BOOST_TEST(worst < bound);
  BOOST_TEST(session.cache().length(rows[0]) == 21 + 18 + 20 + 1);
  BOOST_TEST(session.cache().length(rows[2]) == 16 + 20 + 1);
}

BOOST_AUTO_TEST_CASE(blocks_of_finished_rows_are_used_again) {
  Session session({"", 2, 2, 8, {}});
  const std::size_t prompt = session.prompt(4);
  std::size_t most = 0;
  for (int round = 0; round < 10; ++round) {
    const std::vector<std::size_t> rows{session.row(prompt), session.row(prompt)};
    for (int i = 0; i < 20; ++i) session.step(rows);
    if (round == 0) most = session.cache().bytes();
    for (std::size_t row : rows) session.cache().drop_row(row);
  }
  BOOST_TEST(session.cache().bytes() == most);
}

BOOST_AUTO_TEST_CASE(a_prompt_in_use_is_not_dropped) {
  for (const bool tensors : {false, true}) {
    Session session({"", 2, 2, 8, {}, at::kFloat, tensors});
    const std::size_t prompt = session.prompt(4);
    const std::size_t row = session.row(prompt);
    BOOST_CHECK_THROW(session.cache().drop_prompt(prompt), Error);
    session.cache().drop_row(row);
    session.cache().drop_prompt(prompt);
  }
}

BOOST_AUTO_TEST_CASE(plain_and_wide_instructions_agree) {
  Random random(3);
  const at::Tensor keys = random_tensor(random, {24, 32}, at::kFloat),
                   values = random_tensor(random, {32, 32}, at::kFloat);
  const at::Tensor block = random_tensor(random, {2 * 32 * kv_block}, at::kFloat);
  const at::Tensor q = random_tensor(random, {4, 24}, at::kFloat);
  const float* blocks[] = {block.const_data_ptr<float>()};
  for (int count = 1; count <= 4; ++count) {
    std::vector<std::vector<float>> results;
    for (const lanes::Machine machine : {lanes::Machine::plain, lanes::Machine::avx2, lanes::Machine::avx512}) {
      if (machine > lanes::machine()) continue;
      std::vector<float> out(4 * 24, -1.0F), scratch;
      AttentionTile<float> tile{.dim = 24,
                                .value_stride = 32,
                                .prompt_keys = keys.const_data_ptr<float>(),
                                .prompt_values = values.const_data_ptr<float>(),
                                .prompt_length = 29,
                                .prompt_stride = 32,
                                .key_offset = 0,
                                .value_offset = 24 * kv_block,
                                .scale = 0.2F,
                                .count = count,
                                .queries = {}};
      for (std::size_t i = 0; i < 4; ++i) {
        tile.queries[i] = {q.const_data_ptr<float>() + 24 * i, out.data() + 24 * i, blocks,
                           static_cast<std::int64_t>(3 + i), static_cast<std::int64_t>(i)};
      }
      attend_tile(tile, scratch, machine);
      results.push_back(out);
    }
    for (const auto& other : results) {
      for (std::size_t i = 0; i < other.size(); ++i) BOOST_TEST(std::abs(other[i] - results[0][i]) < 2e-6);
      BOOST_TEST(std::count(other.begin(), other.end(), -1.0F) == (4 - count) * 24);  // others untouched
    }
  }
}

BOOST_AUTO_TEST_CASE(the_exponential_is_within_two_units) {
  for (float x = -90; x < 88; x += 0.0371F) {
    const float got = lanes::exp(lanes::splat(x))[0];
    const double want = x < -87 ? 0 : std::exp(static_cast<double>(x));
    BOOST_TEST(std::abs(got - want) <= 2 * want * 1.2e-7, x);
  }
  BOOST_TEST(lanes::exp(lanes::splat(-INFINITY))[0] == 0);
  BOOST_TEST(lanes::exp(lanes::splat(0))[0] == 1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace plumb
