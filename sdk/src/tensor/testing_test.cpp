#include "plumb/tensor/testing.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>

#include <boost/test/unit_test.hpp>
#include <cmath>

namespace {

using plumb::testing::gradient_error;
using plumb::testing::PlainAttention;

at::Tensor column(std::vector<double> values) {  // [tokens, 1 head, 1 dim]
  const auto size = static_cast<std::int64_t>(values.size());
  return at::tensor(values, at::kDouble).view({size, 1, 1});
}

BOOST_AUTO_TEST_SUITE(testing_fixtures, *boost::unit_test::tolerance(1e-12))

BOOST_AUTO_TEST_CASE(attention_by_its_definition) {
  const at::Tensor q = column({1, 2, 0.5}), k = column({3, 1, -1}), v = column({10, 20, 30});
  PlainAttention attention;
  const at::Tensor out = attention.attend(0, q, k, v, {}).view(-1);
  const double a = std::exp(2 * 3), b = std::exp(2 * 1);
  BOOST_TEST(out[0].item<double>() == 10.0);
  BOOST_TEST(out[1].item<double>() == (10 * a + 20 * b) / (a + b));
  const at::Tensor near = attention.attend(0, q, k, v, {.scale = 2.0, .window = 2}).view(-1);
  const double c = std::exp(1.0), d = std::exp(-1.0);
  BOOST_TEST(near[2].item<double>() == (20 * c + 30 * d) / (c + d));
}

BOOST_AUTO_TEST_CASE(a_head_of_keys_serves_its_queries) {
  const at::Tensor q = at::tensor({1.0, 2.0, 1.0, 2.0}, at::kDouble).view({2, 2, 1});
  const at::Tensor out = PlainAttention().attend(0, q, column({0, 1}), column({5, 7}), {});
  BOOST_TEST((out[1][0][0].item<double>()) == (5 + 7 * std::exp(1.0)) / (1 + std::exp(1.0)));
  BOOST_TEST((out[1][1][0].item<double>()) == (5 + 7 * std::exp(2.0)) / (1 + std::exp(2.0)));
}

BOOST_AUTO_TEST_CASE(a_wrong_gradient_is_seen) {
  at::Tensor x = at::tensor({0.5, -1.5, 2.0}, at::kDouble);
  BOOST_TEST(gradient_error(x, [&] { return x.pow(3).sum(); }) < 1e-7);
  BOOST_TEST(gradient_error(x, [&] { return (x * x.detach()).sum(); }) > 0.4);  // half of the true gradient
  BOOST_TEST((x.sum().item<double>()) == 1.0);                                  // restored
  BOOST_TEST(!x.requires_grad());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
