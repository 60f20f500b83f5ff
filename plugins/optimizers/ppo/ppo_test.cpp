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

double at_place(const plumb::Ragged& x, int row, int column) {
  return x[row][column].item<double>();
}

plumb::Ragged ragged_of(const std::vector<double>& values) {
  return plumb::Ragged::of(at::tensor(values), {3, 1, 2});
}

// Three responses of 3, 1 and 2 tokens.
const std::vector<int> kLengths{3, 1, 2};
plumb::RolloutBatch batch() {
  plumb::RolloutBatch b;
  b.logps = ragged_of({-1.0, -2.0, -0.5, -0.7, -1.5, -0.2});
  b.reference_logps = ragged_of({-1.2, -1.5, -0.9, -0.7, -1.1, -0.4});
  b.values = ragged_of({0.3, -0.1, 0.6, 0.2, -0.4, 0.5});
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
    BOOST_TEST((most(b.advantages.padded() - wanted) < 1e-12));
    BOOST_TEST((most(b.returns.padded() - wanted - b.values.padded()) < 1e-12));
  }
}

BOOST_AUTO_TEST_CASE(with_gamma_and_lambda_1_a_return_is_what_is_still_to_come) {
  plumb::RolloutBatch b = batch();
  Ppo({.kl_coef = 0, .lam = 1, .whiten_advantages = false}, host).prepare(b);
  for (int t = 0; t < 3; ++t) BOOST_TEST(at_place(b.returns, 0, t) == 2.0);
  BOOST_TEST(at_place(b.returns, 1, 0) == -1.0);
  BOOST_TEST(b.returns.length(1) == 1);
}

BOOST_AUTO_TEST_CASE(whitening_gives_mean_0_and_unbiased_variance_1_over_real_tokens) {
  plumb::RolloutBatch b = batch();
  Ppo({}, host).prepare(b);
  const at::Tensor real = b.advantages.values;
  BOOST_TEST(real.numel() == 6);
  BOOST_TEST((std::abs(real.mean().item<double>()) < 1e-12));
  BOOST_TEST(real.square().sum().item<double>() / 5 == 1.0);
  const at::Tensor kept = whitened(b.values.padded(), b.mask().to(at::kDouble), /*centre=*/false);
  BOOST_TEST(b.values.from_padded(kept).values.mean().item<double>() == b.values.values.mean().item<double>());
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
  b.reference_logps = b.logps.with(b.logps.values - 2.1);  // KL (6.3 + 2.1 + 4.2) / 3 = 4.2, error 0.05 against 4
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
  const at::Tensor shift = at::tensor({0.1, -0.3, 0.05, 0.4, -0.1, 0.02}, at::kDouble);
  const auto loss_at = [&](const at::Tensor& logps, const at::Tensor& values) {
    return ppo.loss(b, b.logps.with(logps), b.values.with(values), 6).value;
  };
  at::Tensor logps = (b.logps.values + shift).requires_grad_(), values = (b.values.values - shift).requires_grad_();
  loss_at(logps, values).backward();
  const double h = 1e-6;
  for (int t = 0; t < 6; ++t) {
    at::Tensor step = at::zeros_like(shift);
    step[t] = h;
    const auto slope = [&](const at::Tensor& dl, const at::Tensor& dv) {
      return (loss_at(logps.detach() + dl, values.detach() + dv) - loss_at(logps.detach() - dl, values.detach() - dv))
                 .item<double>() /
             (2 * h);
    };
    BOOST_TEST((std::abs(logps.grad()[t].item<double>() - slope(step, at::zeros_like(step))) < 1e-7));
    BOOST_TEST((std::abs(values.grad()[t].item<double>() - slope(at::zeros_like(step), step)) < 1e-7));
  }
}

BOOST_AUTO_TEST_CASE(micro_batches_add_up) {
  plumb::RolloutBatch b = batch();
  Ppo ppo({}, host);
  ppo.prepare(b);
  const plumb::Ragged logps = b.logps.with(b.logps.values + 0.1), values = b.values.with(b.values.values + 0.3);
  const double whole = ppo.loss(b, logps, values, 6).value.item<double>();
  double sum = 0;
  for (const std::vector<std::int64_t>& rows : {std::vector<std::int64_t>{0}, std::vector<std::int64_t>{1, 2}}) {
    plumb::RolloutBatch part = b;
    for (plumb::Ragged* x : {&part.logps, &part.reference_logps, &part.values, &part.advantages, &part.returns})
      *x = x->select(rows);
    for (at::Tensor* x : {&part.rewards, &part.prompt}) *x = x->index_select(0, at::tensor(rows, at::kLong));
    sum += ppo.loss(part, logps.select(rows), values.select(rows), 6).value.item<double>();
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
