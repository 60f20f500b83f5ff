// PPO against TRL 1.12's own lines (goldens/README.md). TRL places the score one past the last token where there is
// room: that place is a token here, with equal log-probabilities under policy and reference, so both say the same.
#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros_like.h>

#include <boost/test/unit_test.hpp>

#include "training_run.h"

namespace {
using namespace plumb;
using namespace plumb::test;
using boost::test_tools::tolerance;

struct Golden {
  SafetensorsFile file = golden_tensors("ppo.safetensors");
  Value numbers = golden_json("ppo.json");
  at::Tensor padding = file.tensor("padding_mask"), padding_p1 = file.tensor("padding_mask_p1");

  [[nodiscard]] at::Tensor in(const char* name) const { return file.tensor(std::string("in.") + name); }
  [[nodiscard]] at::Tensor of(const std::string& tag, const char* name) const { return file.tensor(tag + "." + name); }

  // The places of TRL's padded form that count as tokens.
  static Ragged ragged(const at::Tensor& padded, const at::Tensor& mask) {
    const at::Tensor lengths = mask.sum(1);
    return Ragged::of(padded.masked_select(mask), {lengths.const_data_ptr<std::int64_t>(),
                                                   lengths.const_data_ptr<std::int64_t>() + lengths.numel()});
  }
  // The batch as TRL has it once it has masked it; `mask` decides what counts as a token.
  [[nodiscard]] RolloutBatch batch(const at::Tensor& mask) const {
    RolloutBatch b;
    b.logps = ragged(in("logprobs").masked_fill(padding, 1.0), mask);
    b.reference_logps = ragged(in("ref_logprobs").masked_fill(padding, 1.0), mask);
    b.values = ragged(in("values").masked_fill(padding_p1, 0), mask);
    b.rewards = in("scores");
    return b;
  }
  [[nodiscard]] std::shared_ptr<OnlineOptimizer> ppo(const std::string& tag, std::map<std::string, Value> more) const {
    Value params = Value::map({{"kl_estimator", tag.substr(0, 2)}, {"whiten_rewards", tag.ends_with("_whiten")}});
    for (const char* name : {"gamma", "lam", "kl_coef", "cliprange", "cliprange_value", "vf_coef"}) {
      params.set(name, numbers.at(name));
    }
    for (auto& [name, value] : more) params.set(name, std::move(value));
    return optimizer<OnlineOptimizer>("ppo", params).bare();
  }
};

double most(const at::Tensor& difference) {
  return difference.abs().max().item<double>();
}
const char* const kTags[] = {"k1", "k3", "k1_whiten", "k3_whiten"};
}  // namespace

BOOST_AUTO_TEST_SUITE(ppo)

BOOST_AUTO_TEST_CASE(returns_are_trls) {
  const Golden golden;
  for (const std::string tag : kTags) {
    RolloutBatch b = golden.batch(~golden.padding_p1);
    golden.ppo(tag, {{"whiten_advantages", false}})->prepare(b);
    BOOST_TEST_CONTEXT(tag) {
      BOOST_TEST(most(b.returns.values - golden.of(tag, "returns").masked_select(~golden.padding_p1)) < 1e-5);
    }
  }
}

BOOST_AUTO_TEST_CASE(whitened_advantages_are_trls) {
  const Golden golden;
  for (const std::string tag : kTags) {
    // With no reward and no look ahead an advantage is minus the value: any numbers can be whitened so.
    RolloutBatch b = golden.batch(~golden.padding);
    b.values = b.values.with(b.values.values - golden.of(tag, "returns").masked_select(~golden.padding));
    b.rewards = at::zeros_like(b.rewards);
    golden.ppo("k1", {{"kl_coef", 0.0}, {"gamma", 1e-30}, {"lam", 0.0}})->prepare(b);
    BOOST_TEST_CONTEXT(tag) {
      BOOST_TEST(most(b.advantages.values - golden.of(tag, "advantages").masked_select(~golden.padding)) < 1e-5);
    }
  }
}

BOOST_AUTO_TEST_CASE(losses_are_trls) {
  const Golden golden;
  for (const std::string tag : kTags) {
    const auto ppo = golden.ppo(tag, {});
    const Value& wanted = golden.numbers.at("losses").at(tag);
    const auto metrics_with = [&](const at::Tensor& mask) {
      RolloutBatch b = golden.batch(mask);
      const auto ragged = [&](const at::Tensor& padded) { return Golden::ragged(padded, mask); };
      b.advantages = ragged(golden.of(tag, "advantages"));
      b.returns = ragged(golden.of(tag, "returns"));
      return ppo
          ->loss(b, ragged(golden.in("new_logprobs")), ragged(golden.in("vpred")), mask.sum().item<std::int64_t>())
          .metrics;
    };
    BOOST_TEST_CONTEXT(tag) {
      const auto policy = metrics_with(~golden.padding), value = metrics_with(~golden.padding_p1);
      BOOST_TEST(policy.at("loss/policy_avg") == wanted.at("pg_loss").as_double(), tolerance(1e-5));
      BOOST_TEST(value.at("loss/value_avg") == wanted.at("vf_loss").as_double(), tolerance(1e-5));
      BOOST_TEST(value.at("val/clipfrac_avg") == wanted.at("vf_clipfrac").as_double(), tolerance(1e-5));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
