#include "ppo.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>
#include <plumb/testing.h>

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <vector>

#include "advantages.h"

namespace {
using Rows = std::vector<std::vector<double>>;

at::Tensor tensor_of(const Rows& rows) {
  std::vector<double> flat;
  for (const auto& row : rows) flat.insert(flat.end(), row.begin(), row.end());
  return at::tensor(flat).view({static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(rows[0].size())});
}

at::Tensor mask_of(const std::vector<int>& lengths, int width) {
  Rows rows;
  for (const int length : lengths) {
    auto& row = rows.emplace_back(static_cast<std::size_t>(width), 0.0);
    for (int t = 0; t < length; ++t) row[static_cast<std::size_t>(t)] = 1;
  }
  return tensor_of(rows).to(at::kBool);
}

double at_place(const at::Tensor& x, int row, int column) {
  return x[row][column].item<double>();
}

// Three responses of 3, 1 and 2 tokens.
const std::vector<int> kLengths{3, 1, 2};
plumb::RolloutBatch batch() {
  plumb::RolloutBatch b;
  b.mask = mask_of(kLengths, 3);
  b.logps = tensor_of({{-1.0, -2.0, -0.5}, {-0.7, 0, 0}, {-1.5, -0.2, 0}});
  b.reference_logps = tensor_of({{-1.2, -1.5, -0.9}, {-0.7, 0, 0}, {-1.1, -0.4, 0}});
  b.values = tensor_of({{0.3, -0.1, 0.6}, {0.2, 0, 0}, {-0.4, 0.5, 0}});
  b.rewards = at::tensor({2.0, -1.0, 0.5});
  b.prompt = at::tensor({0, 0, 1}, at::kLong);
  return b;
}

// Equation by equation in loops over one response at a time: what prepare must give before whitening.
Rows plain_advantages(const plumb::RolloutBatch& b, double kl_coef, double gamma, double lambda) {
  Rows out;
  for (int i = 0; i < static_cast<int>(kLengths.size()); ++i) {
    const int last = kLengths[static_cast<std::size_t>(i)] - 1;
    std::vector<double> deltas;
    for (int t = 0; t <= last; ++t) {
      double reward = -kl_coef * (at_place(b.logps, i, t) - at_place(b.reference_logps, i, t));
      if (t == last) reward += b.rewards[i].item<double>();
      const double next = t == last ? 0 : at_place(b.values, i, t + 1);
      deltas.push_back(reward + gamma * next - at_place(b.values, i, t));
    }
    auto& row = out.emplace_back(3, 0.0);
    for (int t = 0; t <= last; ++t) {
      for (int l = 0; t + l <= last; ++l) {
        row[static_cast<std::size_t>(t)] += std::pow(gamma * lambda, l) * deltas[static_cast<std::size_t>(t + l)];
      }
    }
  }
  return out;
}

plumb::testing::FakeHost host;

double most(const at::Tensor& difference) {
  return difference.abs().max().item<double>();
}
}  // namespace

BOOST_AUTO_TEST_SUITE(ppo, *boost::unit_test::tolerance(1e-6))

BOOST_AUTO_TEST_CASE(advantages_are_discounted_sums_of_the_errors_of_the_values) {
  for (const double lambda : {0.0, 0.95, 1.0}) {
    plumb::RolloutBatch b = batch();
    Ppo({.gamma = 0.9, .lam = lambda, .whiten_advantages = false}, host).prepare(b);
    const at::Tensor wanted = tensor_of(plain_advantages(b, 0.2, 0.9, lambda));
    BOOST_TEST((most(b.advantages - wanted) < 1e-12));
    BOOST_TEST((most(b.returns - wanted - b.values) < 1e-12));
  }
}

BOOST_AUTO_TEST_CASE(with_gamma_and_lambda_1_a_return_is_what_is_still_to_come) {
  plumb::RolloutBatch b = batch();
  Ppo({.kl_coef = 0, .lam = 1, .whiten_advantages = false}, host).prepare(b);
  for (int t = 0; t < 3; ++t) BOOST_TEST(at_place(b.returns, 0, t) == 2.0);
  BOOST_TEST(at_place(b.returns, 1, 0) == -1.0);
  BOOST_TEST(at_place(b.returns, 1, 1) == 0.0);
}

BOOST_AUTO_TEST_CASE(padding_changes_nothing_whatever_stands_there) {
  plumb::RolloutBatch clean = batch(), dirty = batch();
  const at::Tensor padding = ~dirty.mask;
  for (at::Tensor* x : {&dirty.logps, &dirty.reference_logps, &dirty.values}) *x = x->masked_fill(padding, 3.25);
  dirty.logps = dirty.logps.masked_fill(padding, -8.0);
  const auto wanted = Ppo({.whiten_rewards = true}, host).prepare(clean);
  const auto got = Ppo({.whiten_rewards = true}, host).prepare(dirty);
  BOOST_TEST(most((clean.advantages - dirty.advantages) * clean.mask) == 0.0);
  BOOST_TEST(most((clean.returns - dirty.returns) * clean.mask) == 0.0);
  for (const auto& [name, value] : wanted) BOOST_TEST(got.at(name) == value);
}

BOOST_AUTO_TEST_CASE(whitening_gives_mean_0_and_unbiased_variance_1_over_real_tokens) {
  plumb::RolloutBatch b = batch();
  Ppo({}, host).prepare(b);
  const at::Tensor real = b.advantages.masked_select(b.mask);
  BOOST_TEST(real.numel() == 6);
  BOOST_TEST((std::abs(real.mean().item<double>()) < 1e-12));
  BOOST_TEST(real.square().sum().item<double>() / 5 == 1.0);
  const at::Tensor kept = whitened(b.values, b.mask.to(at::kDouble), /*centre=*/false).masked_select(b.mask);
  BOOST_TEST(kept.mean().item<double>() == b.values.masked_select(b.mask).mean().item<double>());
}

BOOST_AUTO_TEST_CASE(kl_estimates_are_schulmans) {
  const at::Tensor p = at::tensor({-1.0, -2.0}), q = at::tensor({-1.5, -1.7});
  const at::Tensor k1 = kl_estimate("k1", p, q), k3 = kl_estimate("k3", p, q);
  BOOST_TEST(k1[0].item<double>() == 0.5);
  BOOST_TEST(k1[1].item<double>() == -0.3);
  BOOST_TEST(k3[0].item<double>() == std::exp(-0.5) - 1 + 0.5);
  BOOST_TEST(k3[1].item<double>() == std::exp(0.3) - 1 - 0.3);
}

BOOST_AUTO_TEST_CASE(metrics_are_trls) {
  plumb::RolloutBatch b = batch();
  const auto m = Ppo({}, host).prepare(b);
  const double kl = ((0.2 - 0.5 + 0.4) + 0 + (-0.4 + 0.2)) / 3;  // summed over tokens, averaged over responses
  BOOST_TEST(m.at("objective/kl") == kl);
  BOOST_TEST(m.at("objective/entropy") == (3.5 + 0.7 + 1.7) / 3);
  BOOST_TEST(m.at("objective/non_score_reward") == -0.2 * kl);
  BOOST_TEST(m.at("objective/scores") == 0.5);
  BOOST_TEST(m.at("objective/rlhf_reward") == 0.5 - 0.2 * kl);
}

BOOST_AUTO_TEST_CASE(the_adaptive_coefficient_follows_the_error_clipped_at_a_fifth) {
  Ppo ppo({.kl_control = "adaptive", .kl_target = 6, .kl_horizon = 30}, host);
  plumb::RolloutBatch b = batch();  // KL far below its target
  BOOST_TEST(ppo.prepare(b).at("objective/kl_coef") == 0.2);
  BOOST_TEST(ppo.state().at("kl_coef") == 0.2 * (1 - 0.2 * 3 / 30));
  b = batch();
  b.reference_logps = b.logps - 2.1;  // KL (6.3 + 2.1 + 4.2) / 3 = 4.2, error 0.05 against 4
  Ppo near({.kl_control = "adaptive", .kl_target = 4, .kl_horizon = 30}, host);
  near.prepare(b);
  BOOST_TEST(near.state().at("kl_coef") == 0.2 * (1 + 0.05 * 3 / 30));
  Ppo resumed({.kl_control = "adaptive"}, host);
  resumed.restore(near.state());
  BOOST_TEST((resumed.state() == near.state()));
  Ppo fixed({}, host);
  fixed.prepare(b);
  BOOST_TEST(fixed.state().at("kl_coef") == 0.2);
}

BOOST_AUTO_TEST_CASE(the_policy_loss_is_clipped_on_the_side_that_would_earn_more) {
  const at::Tensor old = at::tensor({0.0, 0.0, 0.0, 0.0}), now = at::tensor({0.5, 0.5, -0.5, -0.5});
  const PolicyLoss loss = policy_loss(now, old, at::tensor({1.0, -1.0, 1.0, -1.0}), 0.2);
  BOOST_TEST(loss.tokens[0].item<double>() == -1.2);
  BOOST_TEST(loss.tokens[1].item<double>() == std::exp(0.5));
  BOOST_TEST(loss.tokens[2].item<double>() == -std::exp(-0.5));
  BOOST_TEST(loss.tokens[3].item<double>() == 0.8);
  BOOST_TEST(loss.clipped.sum().item<std::int64_t>() == 2);
}

BOOST_AUTO_TEST_CASE(the_value_loss_is_the_greater_of_the_two_squares) {
  const ValueLoss loss = value_loss(at::tensor({1.0, 0.1}), at::tensor({0.0, 0.0}), at::tensor({2.0, 1.0}), 0.2);
  BOOST_TEST(loss.tokens[0].item<double>() == 0.5 * 1.8 * 1.8);
  BOOST_TEST(loss.tokens[1].item<double>() == 0.5 * 0.9 * 0.9);
  BOOST_TEST(loss.clipped.sum().item<std::int64_t>() == 1);
}

BOOST_AUTO_TEST_CASE(the_gradient_is_that_of_finite_differences) {
  plumb::RolloutBatch b = batch();
  Ppo ppo({.vf_coef = 0.5}, host);
  ppo.prepare(b);
  const at::Tensor shift = tensor_of({{0.1, -0.3, 0.05}, {0.4, 0, 0}, {-0.1, 0.02, 0}});
  const auto loss_at = [&](const at::Tensor& logps, const at::Tensor& values) {
    return ppo.loss(b, logps, values, 6).value;
  };
  at::Tensor logps = (b.logps + shift).requires_grad_(), values = (b.values - shift).requires_grad_();
  loss_at(logps, values).backward();
  const double h = 1e-6;
  for (int i = 0; i < 3; ++i) {
    for (int t = 0; t < 3; ++t) {
      at::Tensor step = at::zeros_like(shift);
      step[i][t] = h;
      const auto slope = [&](const at::Tensor& dl, const at::Tensor& dv) {
        return (loss_at(logps.detach() + dl, values.detach() + dv) - loss_at(logps.detach() - dl, values.detach() - dv))
                   .item<double>() /
               (2 * h);
      };
      BOOST_TEST((std::abs(at_place(logps.grad(), i, t) - slope(step, at::zeros_like(step))) < 1e-7));
      BOOST_TEST((std::abs(at_place(values.grad(), i, t) - slope(at::zeros_like(step), step)) < 1e-7));
    }
  }
}

BOOST_AUTO_TEST_CASE(micro_batches_add_up) {
  plumb::RolloutBatch b = batch();
  Ppo ppo({}, host);
  ppo.prepare(b);
  const at::Tensor logps = b.logps + 0.1, values = b.values + 0.3;
  const double whole = ppo.loss(b, logps, values, 6).value.item<double>();
  double sum = 0;
  for (const auto& [begin, count] : {std::pair{0, 1}, std::pair{1, 2}}) {
    plumb::RolloutBatch part = b;
    for (at::Tensor* x : {&part.mask, &part.logps, &part.reference_logps, &part.values, &part.rewards, &part.prompt,
                          &part.advantages, &part.returns})
      *x = x->narrow(0, begin, count);
    sum += ppo.loss(part, logps.narrow(0, begin, count), values.narrow(0, begin, count), 6).value.item<double>();
  }
  BOOST_TEST(sum == whole);
}

BOOST_AUTO_TEST_CASE(at_the_old_policy_ratios_are_1_and_nothing_is_clipped) {
  plumb::RolloutBatch b = batch();
  Ppo ppo({}, host);
  ppo.prepare(b);
  const auto metrics = ppo.loss(b, b.logps, b.values, 6).metrics;
  BOOST_TEST(metrics.at("val/ratio") == 1.0);
  BOOST_TEST(metrics.at("policy/clipfrac_avg") == 0.0);
  BOOST_TEST(metrics.at("policy/approxkl_avg") == 0.0);
}

BOOST_AUTO_TEST_SUITE_END()
