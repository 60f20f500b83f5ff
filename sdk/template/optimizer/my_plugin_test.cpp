#include <ATen/ops/tensor.h>
#include <plumb/tensor/testing.h>
#include <plumb/testing_checks.h>

int main() {
  plumb::testing::Checks check;
  plumb::testing::PluginUnderTest plugin;
  const auto optimizer = plugin.make<plumb::Optimizer>("my-plugin", plumb::Value::map({{"beta", 0.2}}));
  auto& pairwise = dynamic_cast<plumb::PairwiseOptimizer&>(*optimizer);

  // Log-ratios +4 and -1 of the first pair, -2 and +3 of the second: margins 0.2 · 5 and 0.2 · -5.
  plumb::PairBatch batch;
  batch.policy_chosen = at::tensor({-10.0, -20.0}, at::kDouble);
  batch.policy_rejected = at::tensor({-13.0, -11.0}, at::kDouble);
  batch.reference_chosen = at::tensor({-14.0, -18.0}, at::kDouble);
  batch.reference_rejected = at::tensor({-12.0, -14.0}, at::kDouble);
  const plumb::Loss loss = pairwise.loss(batch);
  check.near(loss.value.item<double>(), (std::log1p(std::exp(-1.0)) + std::log1p(std::exp(1.0))) / 2, 1e-12, "loss");
  check.near(loss.metrics.at("rewards/accuracies"), 0.5, 1e-12, "accuracy");
  const auto value = [&] { return pairwise.loss(batch).value; };
  check.near(plumb::testing::gradient_error(batch.policy_chosen, value), 0, 1e-6, "gradient of the chosen answers");
  check.near(plumb::testing::gradient_error(batch.policy_rejected, value), 0, 1e-6, "gradient of the rejected ones");

  batch.reference_chosen = batch.policy_chosen;
  batch.reference_rejected = batch.policy_rejected;
  check.near(pairwise.loss(batch).value.item<double>(), std::log(2.0), 1e-12, "loss at the reference");
  return check.status();
}
