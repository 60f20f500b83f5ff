#include <ATen/ops/tensor.h>
#include <plumb/tensor/testing.h>
#include <plumb/testing_checks.h>

int main() {
  plumb::testing::Checks check;
  plumb::testing::PluginUnderTest plugin;
  const auto optimizer =
      plugin.make<plumb::Optimizer>("simpo", plumb::Value::map({{"beta", 2.0}, {"gamma_beta_ratio", 0.25}}));
  auto& simpo = dynamic_cast<plumb::PairwiseOptimizer&>(*optimizer);

  plumb::PairBatch batch;  // rewards -3 and -4, then -6 and -2; margins 1 and -4; γ = 0.5
  batch.policy_chosen = at::tensor({-6.0, -9.0}, at::kDouble);
  batch.chosen_length = at::tensor({4.0, 3.0}, at::kDouble);
  batch.policy_rejected = at::tensor({-4.0, -5.0}, at::kDouble);
  batch.rejected_length = at::tensor({2.0, 5.0}, at::kDouble);
  const plumb::Loss loss = simpo.loss(batch);
  check.near(loss.value.item<double>(), (std::log1p(std::exp(-0.5)) + std::log1p(std::exp(4.5))) / 2, 1e-12, "loss");
  check.near(loss.metrics.at("rewards/chosen"), -4.5, 1e-12, "rewards of the chosen");
  check.near(loss.metrics.at("rewards/margins"), -1.5, 1e-12, "margins");
  check.near(loss.metrics.at("rewards/accuracies"), 0.5, 1e-12, "accuracy");
  const auto value = [&] { return simpo.loss(batch).value; };
  check.near(plumb::testing::gradient_error(batch.policy_chosen, value), 0, 1e-6, "gradient of the chosen answers");
  check.near(plumb::testing::gradient_error(batch.policy_rejected, value), 0, 1e-6, "gradient of the rejected ones");
  return check.status();
}
