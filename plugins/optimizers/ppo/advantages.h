// The arithmetic of PPO. Rewards, values and advantages are padded, [responses, tokens] with a mask of real tokens, a
// response's tokens at the front of its row; the losses are of single tokens, [tokens]. Definitions are TRL 1.12's,
// except where README.md says otherwise.
//
// Thread contract: functions are [any].
#pragma once

#include <plumb/tensor/torch.h>

#include <string>

// Per-token estimates of KL(policy, reference) from a sampled token: "k1" log π − log ref, "k3" exp(−k1) − 1 + k1
// (J. Schulman, "Approximating KL divergence", 2020).
at::Tensor kl_estimate(const std::string& estimator, const at::Tensor& logps, const at::Tensor& reference_logps);

// (x − mean) / √(unbiased variance + 1e-8) over true places, zero elsewhere; the mean is put back unless `centre`.
at::Tensor whitened(const at::Tensor& values, const at::Tensor& mask, bool centre);

// Generalised advantage estimation (arXiv:1506.02438, equation 16) with nothing after a response's last token.
// rewards and values are zero on padding. Returns advantages, zero on padding.
at::Tensor generalised_advantages(const at::Tensor& rewards, const at::Tensor& values, const at::Tensor& mask,
                                  double gamma, double lambda);

// max(−A r, −A clip(r, 1 ± range)) of each token, r = exp(logps − old) (arXiv:1707.06347, equation 7).
struct PolicyLoss {
  at::Tensor tokens;   // [tokens]
  at::Tensor ratio;    // without gradient
  at::Tensor clipped;  // bool: the clipped term is the greater
};
PolicyLoss policy_loss(const at::Tensor& logps, const at::Tensor& old_logps, const at::Tensor& advantages,
                       double range);

// ½ max((V − R)², (clip(V, V_old ± range) − R)²) of each token.
struct ValueLoss {
  at::Tensor tokens;
  at::Tensor clipped;
};
ValueLoss value_loss(const at::Tensor& values, const at::Tensor& old_values, const at::Tensor& returns, double range);
