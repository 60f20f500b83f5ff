// KTO (Ethayarajh et al., arXiv:2402.01306, equation 8): single answers, good or bad, against a reference point z₀: the
// mean log-ratio of answers to other prompts, not below 0. Loss λ_D (1 − σ(β (r − z₀))) for good ones, λ_U (1 − σ(β (z₀
// − r))) for bad.
#include <ATen/TensorOperators.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/where.h>
#include <plumb/plugin.h>
#include <plumb/tensor/optimizer.h>

namespace {

class Kto final : public plumb::UnpairedOptimizer {
 public:
  struct Settings {
    double beta = 0.1, desirable_weight = 1, undesirable_weight = 1;
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{"KTO: single answers marked good or bad", "arXiv:2402.01306, equation 8"};
    p.add(&Settings::beta, "beta", "strength of the pull towards the reference").above(0);
    p.add(&Settings::desirable_weight, "desirable_weight", "weight of good answers").above(0);
    p.add(&Settings::undesirable_weight, "undesirable_weight", "weight of bad answers").above(0);
    return p;
  }
  Kto(const Settings& settings, plumb::Host&) : s_(settings) {}

  [[nodiscard]] plumb::Loss loss(const plumb::UnpairedBatch& b) override {
    const at::Tensor kl = (b.policy_mismatched - b.reference_mismatched).mean().clamp_min(0).detach();
    const at::Tensor ratio = b.policy - b.reference;
    const at::Tensor good = s_.desirable_weight * (1 - at::sigmoid(s_.beta * (ratio - kl)));
    const at::Tensor bad = s_.undesirable_weight * (1 - at::sigmoid(s_.beta * (kl - ratio)));
    const at::Tensor share = b.desirable.to(ratio.scalar_type());
    const at::Tensor rewards = s_.beta * ratio.detach();
    const auto mean_over = [&](const at::Tensor& which) {
      return ((rewards * which).sum() / which.sum().clamp_min(1)).item<double>();
    };
    return {
        at::where(b.desirable, good, bad).mean(),
        {{"kl", kl.item<double>()}, {"rewards/chosen", mean_over(share)}, {"rewards/rejected", mean_over(1 - share)}}};
  }

 private:
  Settings s_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.example.kto", "1.0.0", "Apache-2.0", "KTO" PLUMB_STATUS("experimental")) {
  registrar.add<Kto>("kto").needs({"reference", "mismatched"});
}
