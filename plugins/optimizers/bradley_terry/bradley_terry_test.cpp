#include "bradley_terry.h"

#include <ATen/ops/tensor.h>
#include <plumb/testing.h>

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>

namespace {
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

plumb::Loss loss_of(const BradleyTerry::Settings& settings, const plumb::ScoreBatch& batch) {
  plumb::testing::FakeHost host;
  return BradleyTerry(settings, host).loss(batch);
}

plumb::ScoreBatch two_pairs() {  // gaps 1.5 and -2
  return {at::tensor({1.0, -0.5}), at::tensor({-0.5, 1.5}), at::tensor({0.25, kNone})};
}

double minus_log_sigmoid(double x) {
  return std::log1p(std::exp(-x));
}
}  // namespace

BOOST_AUTO_TEST_SUITE(bradley_terry, *boost::unit_test::tolerance(1e-6))

BOOST_AUTO_TEST_CASE(loss_is_minus_log_sigmoid_of_the_gap) {
  const double wanted = (minus_log_sigmoid(1.5) + minus_log_sigmoid(-2)) / 2;
  BOOST_TEST(loss_of({}, two_pairs()).value.item<double>() == wanted);
}

BOOST_AUTO_TEST_CASE(a_margin_is_subtracted_where_the_row_has_one) {
  const double wanted = (minus_log_sigmoid(1.25) + minus_log_sigmoid(-2)) / 2;
  BOOST_TEST(loss_of({.use_margin = true}, two_pairs()).value.item<double>() == wanted);
}

BOOST_AUTO_TEST_CASE(centring_adds_the_squared_sum_of_rewards) {
  const double wanted = (minus_log_sigmoid(1.5) + minus_log_sigmoid(-2)) / 2 + 0.01 * (0.5 * 0.5 + 1.0 * 1.0) / 2;
  BOOST_TEST(loss_of({.center_rewards_coefficient = 0.01}, two_pairs()).value.item<double>() == wanted);
}

BOOST_AUTO_TEST_CASE(gradient_is_minus_sigmoid_of_the_negative_gap) {
  plumb::ScoreBatch batch = two_pairs();
  batch.chosen.requires_grad_();
  loss_of({}, batch).value.backward();
  BOOST_TEST(batch.chosen.grad()[0].item<double>() == -0.5 / (1 + std::exp(1.5)));
  BOOST_TEST(batch.chosen.grad()[1].item<double>() == -0.5 / (1 + std::exp(-2.0)));
}

BOOST_AUTO_TEST_CASE(metrics_describe_the_batch) {
  const auto metrics = loss_of({}, two_pairs()).metrics;
  BOOST_TEST(metrics.at("accuracy") == 0.5);
  BOOST_TEST(metrics.at("margin") == -0.25);
  BOOST_TEST(metrics.at("min_reward") == -0.5);
  BOOST_TEST(metrics.at("mean_reward") == 0.375);
  BOOST_TEST(metrics.at("max_reward") == 1.5);
}

BOOST_AUTO_TEST_SUITE_END()
