#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <plumb/tensor/testing.h>
#include <plumb/testing_checks.h>

int main() {
  plumb::testing::Checks check;
  plumb::testing::PluginUnderTest plugin;
  const auto optimizer = plugin.make<plumb::Optimizer>(
      "kto", plumb::Value::map({{"beta", 0.5}, {"desirable_weight", 2.0}, {"undesirable_weight", 3.0}}));
  auto& kto = dynamic_cast<plumb::UnpairedOptimizer&>(*optimizer);

  plumb::UnpairedBatch batch;  // log-ratios 4, -1, 3; the reference point (3 - 1 + 1) / 3 = 1
  batch.policy = at::tensor({-6.0, -9.0, -2.0}, at::kDouble);
  batch.reference = at::tensor({-10.0, -8.0, -5.0}, at::kDouble);
  batch.policy_mismatched = at::tensor({-20.0, -31.0, -10.0}, at::kDouble);
  batch.reference_mismatched = at::tensor({-23.0, -30.0, -11.0}, at::kDouble);
  batch.desirable = at::tensor({1, 1, 0}).to(at::kBool);
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  const double wanted = (2 * (1 - sigmoid(1.5)) + 2 * (1 - sigmoid(-1.0)) + 3 * (1 - sigmoid(-1.0))) / 3;
  const plumb::Loss loss = kto.loss(batch);
  check.near(loss.value.item<double>(), wanted, 1e-12, "loss");
  check.near(loss.metrics.at("kl"), 1, 1e-12, "reference point");
  check.near(loss.metrics.at("rewards/chosen"), 0.5 * (4 - 1) / 2, 1e-12, "rewards of the good answers");
  check.near(loss.metrics.at("rewards/rejected"), 0.5 * 3, 1e-12, "rewards of the bad one");
  const double error = plumb::testing::gradient_error(batch.policy, [&] { return kto.loss(batch).value; });
  check.near(error, 0, 1e-6, "gradient");

  batch.policy_mismatched = batch.reference_mismatched - 5;
  check.near(kto.loss(batch).metrics.at("kl"), 0, 1e-12, "the reference point is not below 0");
  return check.status();
}
