#include "sft.h"

#include <ATen/ops/tensor.h>
#include <plumb/testing.h>

#include <boost/test/unit_test.hpp>

BOOST_AUTO_TEST_SUITE(sft)

BOOST_AUTO_TEST_CASE(micro_batches_of_unequal_length_add_up_to_the_mean_over_tokens) {
  plumb::testing::FakeHost host;
  Sft optimizer({}, host);
  const plumb::TokenLossBatch three{plumb::Ragged::of(at::tensor({-1.0F, -2.0F, -6.0F}), {2, 1}), 4, 3};
  const plumb::TokenLossBatch one{plumb::Ragged::of(at::tensor({-3.0F}), {1}), 4, 3};
  const double sum = optimizer.loss(three).value.item<double>() + optimizer.loss(one).value.item<double>();
  BOOST_TEST(sum == 3.0, boost::test_tools::tolerance(1e-7));  // (1 + 2 + 6 + 3) / 4
}

BOOST_AUTO_TEST_CASE(each_token_pulls_with_equal_strength) {
  plumb::testing::FakeHost host;
  Sft optimizer({}, host);
  at::Tensor logps = at::tensor({-1.0F, -2.0F, -6.0F}).requires_grad_();
  optimizer.loss({plumb::Ragged::of(logps, {2, 1}), 12, 5}).value.backward();
  for (int t = 0; t < 3; ++t)
    BOOST_TEST(logps.grad()[t].item<double>() == -1.0 / 12, boost::test_tools::tolerance(1e-6));
}

BOOST_AUTO_TEST_SUITE_END()
