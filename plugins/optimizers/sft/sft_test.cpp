#include "sft.h"

#include <ATen/ops/tensor.h>

#include <boost/test/unit_test.hpp>

namespace {
class Silent : public plumb::Host {
 public:
  void log(plumb::LogLevel, std::string_view) override {}
  void progress(std::string_view, std::size_t, std::size_t) override {}
  [[nodiscard]] bool cancelled() const override { return false; }
  void parallel_for(std::size_t, const std::function<void(std::size_t)>&) override {}
  [[nodiscard]] std::string scratch_folder() override { return {}; }
  [[nodiscard]] std::string recipe_folder() const override { return {}; }
  [[nodiscard]] void* query(std::string_view) override { return nullptr; }
};
}  // namespace

BOOST_AUTO_TEST_SUITE(sft)

BOOST_AUTO_TEST_CASE(micro_batches_of_unequal_length_add_up_to_the_mean_over_tokens) {
  Silent host;
  Sft optimizer({}, host);
  const plumb::TokenLossBatch three{at::tensor({-1.0F, -2.0F, -6.0F}), at::tensor({0, 0, 1}, at::kLong), 2, 4, 3};
  const plumb::TokenLossBatch one{at::tensor({-3.0F}), at::tensor({0}, at::kLong), 1, 4, 3};
  const double sum = optimizer.loss(three).value.item<double>() + optimizer.loss(one).value.item<double>();
  BOOST_TEST(sum == 3.0, boost::test_tools::tolerance(1e-7));  // (1 + 2 + 6 + 3) / 4
}

BOOST_AUTO_TEST_CASE(each_token_pulls_with_equal_strength) {
  Silent host;
  Sft optimizer({}, host);
  at::Tensor logps = at::tensor({-1.0F, -2.0F, -6.0F}).requires_grad_();
  optimizer.loss({logps, at::tensor({0, 0, 1}, at::kLong), 2, 12, 5}).value.backward();
  for (int t = 0; t < 3; ++t)
    BOOST_TEST(logps.grad()[t].item<double>() == -1.0 / 12, boost::test_tools::tolerance(1e-6));
}

BOOST_AUTO_TEST_SUITE_END()
