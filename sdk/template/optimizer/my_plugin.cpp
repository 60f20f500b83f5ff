// my-plugin: a loss over preference pairs. This one is DPO's (arXiv:2305.18290, equation 7); write yours in loss().
//
// Other data, other base class: TokenOptimizer (demonstrations), ScoreOptimizer (reward models), UnpairedOptimizer
// (single answers, good or bad), OnlineOptimizer (the policy's own answers). See plumb/tensor/optimizer.h.
#include <ATen/TensorOperators.h>
#include <ATen/ops/log_sigmoid.h>
#include <plumb/plugin.h>
#include <plumb/tensor/optimizer.h>

namespace {

class MyPlugin final : public plumb::PairwiseOptimizer {
 public:
  struct Settings {
    double beta = 0.1;
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{"logistic loss of the gap between log-ratios"};
    p.add(&Settings::beta, "beta", "strength of the pull towards the reference").above(0);
    return p;
  }
  MyPlugin(const Settings& settings, plumb::Host&) : beta_(settings.beta) {}

  // Every tensor is [pairs]: log-probabilities summed over the tokens of an answer.
  [[nodiscard]] plumb::Loss loss(const plumb::PairBatch& b) override {
    const at::Tensor chosen = beta_ * (b.policy_chosen - b.reference_chosen);
    const at::Tensor rejected = beta_ * (b.policy_rejected - b.reference_rejected);
    const at::Tensor margins = chosen - rejected;
    return {-at::log_sigmoid(margins).mean(),
            {{"rewards/margins", margins.mean().item<double>()},
             {"rewards/accuracies", margins.gt(0).to(at::kDouble).mean().item<double>()}}};
  }

 private:
  double beta_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.example.my-plugin", "0.1.0", "Apache-2.0",
             "a loss over preference pairs" PLUMB_STATUS("experimental")) {
  registrar.add<MyPlugin>("my-plugin").needs({"reference"});
}
