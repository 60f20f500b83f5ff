#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <plumb/tensor/testing.h>
#include <plumb/testing_checks.h>

int main() {
  plumb::testing::Checks check;
  plumb::testing::PluginUnderTest plugin;
  const auto optimizer = plugin.make<plumb::Optimizer>("grpo", plumb::Value::map({{"beta", 0.5}}));
  auto& grpo = dynamic_cast<plumb::OnlineOptimizer&>(*optimizer);

  plumb::RolloutBatch batch;  // prompt 7 with rewards 1 and 4, prompt 3 with 2 and 2; the second answer has one token
  batch.prompt = at::tensor({7, 7, 3, 3}, at::kLong);
  batch.rewards = at::tensor({1.0, 4.0, 2.0, 2.0}, at::kDouble);
  batch.logps = plumb::Ragged::of(at::tensor({-1.0, -2.0, -0.5, -1.5, -1.0, -0.7, -0.2}, at::kDouble), {2, 1, 2, 2});
  batch.reference_logps = batch.logps.with(at::tensor({-1.2, -1.9, -0.5, -1.0, -1.0, -0.9, -0.1}, at::kDouble));
  const auto metrics = grpo.prepare(batch);
  const double scaled = 1.5 / (std::sqrt(4.5) + 1e-4);
  check.near(batch.advantages[0][1].item<double>(), -scaled, 1e-12, "advantage of the worse answer's tokens");
  check.near(batch.advantages[1][0].item<double>(), scaled, 1e-12, "advantage of the better answer");
  check.that(batch.advantages[1].numel() == 1, "an advantage for each token");
  check.near(batch.advantages[2].abs().max().item<double>(), 0, 1e-12, "equal rewards teach nothing");
  check.near(metrics.at("objective/scores"), 2.25, 1e-12, "mean reward");

  at::Tensor logps = batch.logps.values.clone();
  const auto at_logps = [&] { return grpo.loss(batch, batch.logps.with(logps), {}, 7); };
  const auto divergence = [](double d) { return std::exp(d) - d - 1; };
  double kl = 0;  // over the seven real tokens
  for (const double d : {-0.2, 0.1, 0.0, 0.5, 0.0, -0.2, 0.1}) kl += divergence(d);
  const double at_start = (2 * scaled - scaled + 0.5 * kl) / 7;  // every ratio is 1
  check.near(at_logps().value.item<double>(), at_start, 1e-12, "loss at the first visit");

  logps = logps + 0.05;
  const auto loss = [&] { return at_logps().value; };
  check.near(plumb::testing::gradient_error(logps, loss), 0, 1e-6, "gradient");
  logps = batch.logps.values + 0.5;  // ratio 1.65: a gain is clipped at 1.2, a loss is not
  const auto far = at_logps();
  check.near(far.metrics.at("policy/clipfrac_avg"), 1, 1e-12, "every ratio is out of range");
  double far_kl = 0;
  for (const double d : {-0.2, 0.1, 0.0, 0.5, 0.0, -0.2, 0.1}) far_kl += divergence(d - 0.5);
  const double wanted = (2 * scaled * std::exp(0.5) - scaled * 1.2 + 0.5 * far_kl) / 7;
  check.near(far.value.item<double>(), wanted, 1e-12, "clipped loss");
  return check.status();
}
