#include "dpo.h"

#include <ATen/ops/tensor.h>
#include <plumb/testing.h>

#include <boost/test/unit_test.hpp>
#include <cmath>

namespace {
plumb::Loss loss_of(const Dpo::Settings& settings, const plumb::PairBatch& batch) {
  plumb::testing::FakeHost host;
  return Dpo(settings, host).loss(batch);
}

double value_of(const Dpo::Settings& settings, const plumb::PairBatch& batch) {
  return loss_of(settings, batch).value.item<double>();
}

// Log-ratios: +4 and -1 of the first pair, -2 and +3 of the second, so h = 5 and -5.
plumb::PairBatch two_pairs() {
  plumb::PairBatch batch;
  batch.policy_chosen = at::tensor({-10.0, -20.0});
  batch.policy_rejected = at::tensor({-13.0, -11.0});
  batch.reference_chosen = at::tensor({-14.0, -18.0});
  batch.reference_rejected = at::tensor({-12.0, -14.0});
  batch.chosen_length = at::tensor({4.0, 5.0});
  batch.rejected_length = at::tensor({2.0, 6.0});
  return batch;
}

double mls(double x) {
  return std::log1p(std::exp(-x));
}  // minus log sigmoid
}  // namespace

BOOST_AUTO_TEST_SUITE(dpo, *boost::unit_test::tolerance(1e-6))

BOOST_AUTO_TEST_CASE(sigmoid) {
  BOOST_TEST(value_of({.beta = 0.2}, two_pairs()) == (mls(1) + mls(-1)) / 2);
}

BOOST_AUTO_TEST_CASE(cdpo_mixes_in_the_flipped_label) {
  const double wanted = (0.9 * mls(1) + 0.1 * mls(-1) + 0.9 * mls(-1) + 0.1 * mls(1)) / 2;
  BOOST_TEST(value_of({.beta = 0.2, .loss_type = "cdpo", .label_smoothing = 0.1}, two_pairs()) == wanted);
}

BOOST_AUTO_TEST_CASE(robust_is_unbiased_under_flips) {
  const double wanted = (0.9 * mls(1) - 0.1 * mls(-1) + 0.9 * mls(-1) - 0.1 * mls(1)) / 2 / 0.8;
  BOOST_TEST(value_of({.beta = 0.2, .loss_type = "robust", .label_smoothing = 0.1}, two_pairs()) == wanted);
}

BOOST_AUTO_TEST_CASE(hinge) {
  BOOST_TEST(value_of({.beta = 0.1, .loss_type = "hinge"}, two_pairs()) == (0.5 + 1.5) / 2);
}

BOOST_AUTO_TEST_CASE(ipo_divides_by_length_or_not) {
  const double first = 4.0 / 4 + 1.0 / 2, second = -2.0 / 5 - 3.0 / 6;
  const double averaged = ((first - 5) * (first - 5) + (second - 5) * (second - 5)) / 2;
  BOOST_TEST(value_of({.beta = 0.1, .loss_type = "ipo"}, two_pairs()) == averaged);
  BOOST_TEST(value_of({.beta = 0.1, .loss_type = "ipo", .ipo_average = false}, two_pairs()) == (0.0 + 100.0) / 2);
}

BOOST_AUTO_TEST_CASE(at_the_reference_the_loss_is_ln_2_and_margins_are_0) {
  plumb::PairBatch batch = two_pairs();
  batch.reference_chosen = batch.policy_chosen;
  batch.reference_rejected = batch.policy_rejected;
  for (const char* type : {"sigmoid", "cdpo", "robust"}) {
    const auto loss = loss_of({.loss_type = type, .label_smoothing = type == std::string("sigmoid") ? 0 : 0.2}, batch);
    BOOST_TEST(loss.value.item<double>() == std::log(2.0));
    BOOST_TEST(loss.metrics.at("rewards/margins") == 0.0);
  }
}

BOOST_AUTO_TEST_CASE(gradient_of_sigmoid) {
  plumb::PairBatch batch = two_pairs();
  batch.policy_chosen.requires_grad_();
  batch.policy_rejected.requires_grad_();
  loss_of({.beta = 0.2}, batch).value.backward();
  BOOST_TEST(batch.policy_chosen.grad()[0].item<double>() == -0.2 / 2 / (1 + std::exp(1.0)));
  BOOST_TEST(batch.policy_rejected.grad()[1].item<double>() == 0.2 / 2 / (1 + std::exp(-1.0)));
}

BOOST_AUTO_TEST_CASE(every_gradient_is_that_of_finite_differences) {
  for (const char* type : {"sigmoid", "cdpo", "robust", "hinge", "ipo"}) {
    const bool smooths = type == std::string("cdpo") || type == std::string("robust");
    const Dpo::Settings settings{.beta = 0.15, .loss_type = type, .label_smoothing = smooths ? 0.2 : 0};
    plumb::PairBatch batch = two_pairs();
    for (at::Tensor* x : {&batch.policy_chosen, &batch.policy_rejected, &batch.reference_chosen,
                          &batch.reference_rejected, &batch.chosen_length, &batch.rejected_length})
      *x = x->to(at::kDouble);
    batch.policy_chosen.requires_grad_();
    batch.policy_rejected.requires_grad_();
    loss_of(settings, batch).value.backward();
    for (at::Tensor* x : {&batch.policy_chosen, &batch.policy_rejected}) {
      for (int i = 0; i < 2; ++i) {
        const double h = 1e-4;
        at::Tensor place = x->detach()[i];  // shares memory
        place.add_(h);
        const double above = value_of(settings, batch);
        place.sub_(2 * h);
        const double below = value_of(settings, batch);
        place.add_(h);
        BOOST_TEST_CONTEXT(type << " " << i) {
          const double wanted = (above - below) / (2 * h);
          BOOST_TEST((std::abs(x->grad()[i].item<double>() - wanted) < 1e-6));
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(metrics_are_means_over_pairs_and_rewards_include_beta) {
  const auto metrics = loss_of({.beta = 0.2}, two_pairs()).metrics;
  BOOST_TEST(metrics.at("rewards/chosen") == 0.2);
  BOOST_TEST(metrics.at("rewards/rejected") == 0.2);
  BOOST_TEST(metrics.at("rewards/margins") == 0.0, boost::test_tools::tolerance(1e-5));
  BOOST_TEST(metrics.at("rewards/accuracies") == 0.5);
  BOOST_TEST(metrics.at("logps/chosen") == -15.0);
  BOOST_TEST(metrics.at("logps/rejected") == -12.0);
}

BOOST_AUTO_TEST_CASE(label_smoothing_without_effect_is_refused) {
  const auto with = [](const char* type, double smoothing) {
    return plumb::Value::map({{"loss_type", type}, {"label_smoothing", smoothing}});
  };
  BOOST_CHECK_THROW(static_cast<void>(Dpo::params().parse(with("sigmoid", 0.1))), plumb::Error);
  BOOST_TEST(Dpo::params().parse(with("cdpo", 0.1)).label_smoothing == 0.1);
}

BOOST_AUTO_TEST_SUITE_END()
