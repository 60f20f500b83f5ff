#include "framework/engine/modeling/decoder.h"

#include <ATen/TensorOperators.h>

#include <algorithm>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "framework/core/registry/registry.h"
#include "framework/engine/modeling/grouped_forward.h"
#include "plumb/error.h"
#include "plumb/testing.h"

namespace plumb {
namespace {

struct Case {
  const char* name;
  const char* architecture;
  std::int64_t heads, kv_heads;
  const char* dtype = "float32";
};
std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.name;
}

const std::vector<Case> cases{{"llama", "llama2", 4, 4},
                              {"grouped_queries", "llama2", 4, 2},
                              {"one_key_head", "llama2", 4, 1},
                              {"pythia", "pythia", 4, 4},
                              {"bfloat16", "llama2", 4, 2, "bfloat16"}};

const Registry& plugins() {
  static const Registry built = Registry::scan(PluginSearch::standard());
  return built;
}

// Random weights large enough that attention is far from uniform.
LanguageModel random_model(const Case& c, testing::FakeHost& host) {
  Value config = Value::map({{"hidden_size", 32},
                             {"intermediate_size", 64},
                             {"num_hidden_layers", 3},
                             {"num_attention_heads", c.heads},
                             {"vocab_size", 50},
                             {"max_position_embeddings", 64},
                             {"initializer_range", 0.3}});
  if (c.kv_heads != c.heads) config.set("num_key_value_heads", c.kv_heads);
  return new_language_model(c.architecture, config, plugins(), host, Random(4), {.placement = {.dtype = c.dtype}});
}

std::vector<TokenId> random_ids(std::size_t count, Random random) {
  std::vector<TokenId> out;
  while (out.size() < count) out.push_back(static_cast<TokenId>(random.below(50)));
  return out;
}

double far(const at::Tensor& got, const at::Tensor& want) {
  return (got - want).abs().max().item<double>();
}

struct Row {
  std::size_t slot;
  std::vector<TokenId> ids;  // prompt and response so far
};

BOOST_AUTO_TEST_SUITE(decoder)

BOOST_DATA_TEST_CASE(cached_logits_equal_a_forward_pass_over_the_whole, boost::unit_test::data::make(cases), c) {
  testing::FakeHost host;
  LanguageModel model = random_model(c, host);
  Decoder decoder(model);
  const std::vector<std::vector<TokenId>> prompts{random_ids(7, Random(1)), random_ids(1, Random(2)),
                                                  random_ids(23, Random(3))};
  const auto slots = decoder.add_prompts(prompts);
  const at::Tensor first = decoder.prompt_logits(slots);
  const double size = full_logits(model, prompts).to(at::kFloat).abs().max().item<double>();
  const double bound = size * (std::string(c.dtype) == "float32" ? 1e-5 : 6e-2);
  BOOST_TEST(size > 1);
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const std::vector<std::vector<TokenId>> one{prompts[i]};
    BOOST_TEST(far(first[static_cast<std::int64_t>(i)], full_logits(model, one)[-1]) < bound);
  }

  std::vector<Row> rows;
  for (std::size_t prompt : {0U, 0U, 1U, 2U, 0U}) rows.push_back({decoder.add_row(slots[prompt]), prompts[prompt]});
  Random random(9);
  double worst = 0;
  for (int step = 0; step < 36; ++step) {
    if (step == 20) {  // one row ends, another prompt's takes its place
      decoder.drop_row(rows[1].slot);
      rows[1] = {decoder.add_row(slots[2]), prompts[2]};
    }
    std::vector<std::size_t> batch;
    std::vector<TokenId> tokens;
    for (Row& row : rows) {
      row.ids.push_back(static_cast<TokenId>(random.below(50)));
      batch.push_back(row.slot);
      tokens.push_back(row.ids.back());
    }
    const at::Tensor logits = decoder.next(batch, tokens);
    BOOST_REQUIRE(logits.scalar_type() == at::kFloat);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::vector<std::vector<TokenId>> one{rows[i].ids};
      worst = std::max(worst, far(logits[static_cast<std::int64_t>(i)], full_logits(model, one)[-1]));
      BOOST_TEST(decoder.length(rows[i].slot) == static_cast<std::int64_t>(rows[i].ids.size()));
    }
  }
  BOOST_TEST(worst < bound);
}

BOOST_AUTO_TEST_CASE(what_the_model_cannot_read_is_refused) {
  testing::FakeHost host;
  LanguageModel model = random_model(cases[0], host);
  Decoder decoder(model);
  const auto add = [&](const std::vector<TokenId>& ids) {
    const std::vector<std::vector<TokenId>> one{ids};
    return decoder.add_prompts(one);
  };
  BOOST_CHECK_THROW(add({}), Error);
  BOOST_CHECK_THROW(add({50}), Error);
  BOOST_CHECK_THROW(add({-1}), Error);
  BOOST_CHECK_THROW(add(random_ids(65, Random(1))), Error);
  const auto slots = add(random_ids(63, Random(1)));
  const std::size_t row = decoder.add_row(slots[0]);
  const TokenId token = 3;
  static_cast<void>(decoder.next({&row, 1}, {&token, 1}));
  BOOST_CHECK_THROW(static_cast<void>(decoder.next({&row, 1}, {&token, 1})), Error);
}

// Attention scores that are NaN must not come out as some answer.
BOOST_DATA_TEST_CASE(weights_that_are_nan_make_every_logit_nan, boost::unit_test::data::make(cases), c) {
  testing::FakeHost host;
  const bool fused = std::string(c.architecture) == "pythia";
  for (const char* part : {"q_proj", "k_proj"}) {
    LanguageModel model = random_model(c, host);
    const std::string name =
        fused ? "gpt_neox.layers.1.attention.query_key_value" : std::string("model.layers.1.self_attn.") + part;
    // Of the fused product, row 0 makes a query of the first head and row 8 a key.
    (*model.parameters->find(name + ".weight")->tensor)[fused && part[0] == 'k' ? 8 : 0].fill_(NAN);
    Decoder decoder(model);
    const std::vector<std::vector<TokenId>> prompts{random_ids(2, Random(1)), random_ids(40, Random(2))};
    const auto slots = decoder.add_prompts(prompts);
    BOOST_TEST(decoder.prompt_logits(slots).isnan().all().item<bool>());
  }
  // Of the step alone: the prompt is read before the weights are spoilt.
  LanguageModel model = random_model(c, host);
  Decoder decoder(model);
  const std::vector<std::vector<TokenId>> prompts{random_ids(20, Random(3))};
  const std::size_t row = decoder.add_row(decoder.add_prompts(prompts).front());
  const TokenId token = 7;
  BOOST_TEST(decoder.next({&row, 1}, {&token, 1}).isfinite().all().item<bool>());
  const std::string name = fused ? "gpt_neox.layers.0.attention.query_key_value" : "model.layers.0.self_attn.q_proj";
  (*model.parameters->find(name + ".weight")->tensor)[0].fill_(NAN);
  BOOST_TEST(decoder.next({&row, 1}, {&token, 1}).isnan().all().item<bool>());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace plumb
