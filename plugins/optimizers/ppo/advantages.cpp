#include "advantages.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include <vector>

at::Tensor kl_estimate(const std::string& estimator, const at::Tensor& logps, const at::Tensor& reference_logps) {
  const at::Tensor k1 = logps - reference_logps;
  return estimator == "k3" ? (-k1).exp() - 1 + k1 : k1;
}

at::Tensor whitened(const at::Tensor& values, const at::Tensor& mask, bool centre) {
  const at::Tensor count = mask.sum();
  const at::Tensor mean = (values * mask).sum() / count;
  const at::Tensor variance = ((values - mean).square() * mask).sum() / (count - 1).clamp_min(1);
  at::Tensor out = (values - mean) * (variance + 1e-8).rsqrt();
  if (!centre) out = out + mean;
  return out * mask;
}

at::Tensor generalised_advantages(const at::Tensor& rewards, const at::Tensor& values, const at::Tensor& mask,
                                  double gamma, double lambda) {
  const std::int64_t tokens = rewards.size(1);
  std::vector<at::Tensor> columns(static_cast<std::size_t>(tokens));
  at::Tensor later = at::zeros_like(rewards.select(1, 0));  // advantage of the next token
  for (std::int64_t t = tokens - 1; t >= 0; --t) {
    at::Tensor change = rewards.select(1, t) - values.select(1, t);
    if (t + 1 < tokens) change = change + gamma * values.select(1, t + 1);
    later = (change + gamma * lambda * later) * mask.select(1, t);
    columns[static_cast<std::size_t>(t)] = later;
  }
  return at::stack(columns, 1);
}

PolicyLoss policy_loss(const at::Tensor& logps, const at::Tensor& old_logps, const at::Tensor& advantages,
                       double range) {
  const at::Tensor ratio = (logps - old_logps).exp();
  const at::Tensor plain = -advantages * ratio;
  const at::Tensor clipped = -advantages * ratio.clamp(1 - range, 1 + range);
  return {at::maximum(plain, clipped), ratio.detach(), (clipped > plain).detach()};
}

ValueLoss value_loss(const at::Tensor& values, const at::Tensor& old_values, const at::Tensor& returns, double range) {
  const at::Tensor near = at::maximum(old_values - range, values.minimum(old_values + range));
  const at::Tensor plain = (values - returns).square(), clipped = (near - returns).square();
  return {0.5 * at::maximum(plain, clipped), (clipped > plain).detach()};
}
