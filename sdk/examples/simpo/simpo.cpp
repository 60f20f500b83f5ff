// SimPO (Meng et al., arXiv:2405.14734, equation 6): −log σ(β/|y_w| · log π(y_w) − β/|y_l| · log π(y_l) − γ). No
// reference.
#include <ATen/TensorOperators.h>
#include <ATen/ops/log_sigmoid.h>
#include <plumb/plugin.h>
#include <plumb/tensor/optimizer.h>

namespace {

class SimPo final : public plumb::PairwiseOptimizer {
 public:
  struct Settings {
    double beta = 2, gamma_beta_ratio = 0.5;
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{"SimPO: mean log-probability as the reward, with a margin",
                              "arXiv:2405.14734, equation 6"};
    p.add(&Settings::beta, "beta", "scale of the rewards").above(0);
    p.add(&Settings::gamma_beta_ratio, "gamma_beta_ratio", "the margin γ over β").at_least(0);
    return p;
  }
  SimPo(const Settings& settings, plumb::Host&)
      : beta_(settings.beta), gamma_(settings.beta * settings.gamma_beta_ratio) {}

  [[nodiscard]] plumb::Loss loss(const plumb::PairBatch& b) override {
    const at::Tensor chosen = beta_ * b.policy_chosen / b.chosen_length;
    const at::Tensor rejected = beta_ * b.policy_rejected / b.rejected_length;
    const at::Tensor margins = chosen - rejected;
    return {-at::log_sigmoid(margins - gamma_).mean(),
            {{"rewards/chosen", chosen.mean().item<double>()},
             {"rewards/rejected", rejected.mean().item<double>()},
             {"rewards/margins", margins.mean().item<double>()},
             {"rewards/accuracies", margins.gt(0).to(at::kDouble).mean().item<double>()}}};
  }

 private:
  double beta_, gamma_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.example.simpo", "1.0.0", "Apache-2.0", "SimPO" PLUMB_STATUS("experimental")) {
  registrar.add<SimPo>("simpo");
}
