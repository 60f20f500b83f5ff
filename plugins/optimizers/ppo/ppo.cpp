#include "ppo.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/stack.h>
#include <plumb/plugin.h>

#include <algorithm>

#include "advantages.h"

plumb::Params<Ppo::Settings> Ppo::params() {
  plumb::Params<Settings> p{"proximal policy optimisation with a KL penalty in the reward",
                            "arXiv:1707.06347; RS-DPO, section 3 (kl_coef 0.2)"};
  p.add(&Settings::kl_coef, "kl_coef", "weight of the KL penalty of each token; its start when kl_control is adaptive")
      .at_least(0);
  p.add(&Settings::kl_estimator, "kl_estimator", "k1: log-ratio; k3: its unbiased estimate that is never negative")
      .choices({"k1", "k3"});
  p.add(&Settings::kl_control, "kl_control", "adaptive moves kl_coef towards kl_target (arXiv:1909.08593, 2.2)")
      .choices({"fixed", "adaptive"});
  p.add(&Settings::kl_target, "kl_target", "of adaptive: KL of a response").above(0).unit("nats");
  p.add(&Settings::kl_horizon, "kl_horizon", "of adaptive: responses over which kl_coef may change by its own size / 5")
      .above(0)
      .unit("responses");
  p.add(&Settings::gamma, "gamma", "discount of a token").above(0).at_most(1);
  p.add(&Settings::lam, "lam", "lambda of generalised advantage estimation").at_least(0).at_most(1);
  p.add(&Settings::cliprange, "cliprange", "probability ratios beyond 1 ± this earn nothing").above(0);
  p.add(&Settings::cliprange_value, "cliprange_value", "how far values may move in the loss").above(0);
  p.add(&Settings::vf_coef, "vf_coef", "weight of the value loss").at_least(0);
  p.add(&Settings::whiten_rewards, "whiten_rewards", "scale each token's reward to variance 1 over the batch");
  p.add(&Settings::whiten_advantages, "whiten_advantages", "shift and scale advantages to mean 0, variance 1");
  p.check([](const Settings& s) -> std::string {
    const Settings usual;
    if (s.kl_control == "adaptive") return {};
    const char* given = s.kl_target != usual.kl_target     ? "kl_target"
                        : s.kl_horizon != usual.kl_horizon ? "kl_horizon"
                                                           : "";
    return *given == '\0' ? ""
                          : std::string(given) + " has no effect on kl_control fixed; choose adaptive, or leave it out";
  });
  return p;
}

// Advantages run along a response, so this works on the padded form.
std::map<std::string, double> Ppo::prepare(plumb::RolloutBatch& b) {
  const at::Tensor logps = b.logps.padded(), reference_logps = b.reference_logps.padded(), values = b.values.padded();
  const at::Tensor real = b.mask(), mask = real.to(logps.scalar_type());
  const at::Tensor kl = kl_estimate(settings_.kl_estimator, logps, reference_logps) * mask;
  const at::Tensor penalty = -kl_coef_ * kl;
  const at::Tensor last = real.sum(1, /*keepdim=*/true) - 1;
  const at::Tensor at_last = at::arange(real.size(1), last.options()).unsqueeze(0) == last;
  at::Tensor rewards = penalty + b.rewards.unsqueeze(1) * at_last;
  if (settings_.whiten_rewards) rewards = whitened(rewards, mask, /*centre=*/false);

  at::Tensor advantages = generalised_advantages(rewards, values, mask, settings_.gamma, settings_.lam);
  b.returns = b.logps.from_padded(advantages + values);
  if (settings_.whiten_advantages) advantages = whitened(advantages, mask, /*centre=*/true);
  b.advantages = b.logps.from_padded(advantages);

  const at::Tensor k1 = settings_.kl_estimator == "k1" ? kl : kl_estimate("k1", logps, reference_logps) * mask;
  const at::Tensor means =  // one transfer from the device for all of them
      at::stack({k1.sum(1), -(logps * mask).sum(1), penalty.sum(1), b.rewards, kl.sum(1)})
          .mean(1)
          .to(at::kCPU, at::kDouble);
  const double* m = means.const_data_ptr<double>();
  std::map<std::string, double> metrics{{"objective/kl", m[0]},
                                        {"objective/entropy", m[1]},
                                        {"objective/non_score_reward", m[2]},
                                        {"objective/rlhf_reward", m[2] + m[3]},
                                        {"objective/scores", m[3]},
                                        {"objective/kl_coef", kl_coef_}};
  if (settings_.kl_control == "adaptive") {
    const double error = std::clamp(m[4] / settings_.kl_target - 1, -0.2, 0.2);
    kl_coef_ *= 1 + error * static_cast<double>(b.logps.size()) / settings_.kl_horizon;
  }
  return metrics;
}

// Of single tokens: on the values, where there is no padding.
plumb::Loss Ppo::loss(const plumb::RolloutBatch& b, const plumb::Ragged& logps, const plumb::Ragged& values,
                      std::int64_t total_tokens) {
  const auto total = static_cast<double>(total_tokens);
  const PolicyLoss policy = policy_loss(logps.values, b.logps.values, b.advantages.values, settings_.cliprange);
  const ValueLoss value = value_loss(values.values, b.values.values, b.returns.values, settings_.cliprange_value);
  const at::Tensor policy_share = policy.tokens.sum() / total, value_share = value.tokens.sum() / total;

  const at::Tensor change = logps.values.detach() - b.logps.values;
  const auto type = change.scalar_type();
  const at::Tensor means =
      at::stack({(0.5 * change.square()).mean(), policy.clipped.to(type).mean(), policy.tokens.detach().mean(),
                 value.tokens.detach().mean(), value.clipped.to(type).mean(), policy.ratio.mean()})
          .to(at::kCPU, at::kDouble);
  const double* m = means.const_data_ptr<double>();
  return {policy_share + settings_.vf_coef * value_share,
          {{"policy/approxkl_avg", m[0]},
           {"policy/clipfrac_avg", m[1]},
           {"loss/policy_avg", m[2]},
           {"loss/value_avg", m[3]},
           {"val/clipfrac_avg", m[4]},
           {"val/ratio", m[5]}}};
}

PLUMB_PLUGIN(registrar, "org.plumbline.ppo", "1.0.0", "Apache-2.0",
             "proximal policy optimisation" PLUMB_STATUS("experimental")) {
  registrar.add<Ppo>("ppo").needs({"reward-model", "reference", "values"});
}
