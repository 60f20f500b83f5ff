// A plugin that sees tensors: the hinge loss on log-probability ratios.
#include <ATen/TensorOperators.h>
#include <ATen/ops/relu.h>
#include <plumb/plugin.h>
#include <plumb/tensor/optimizer.h>

namespace {

class Hinge final : public plumb::PairwiseOptimizer {
 public:
  struct Settings {
    double beta = 0.1;
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{"hinge loss on the difference of log-probability ratios", "arXiv:2305.10425"};
    p.add(&Settings::beta, "beta", "how far the policy may leave the reference").above(0);
    return p;
  }
  Hinge(const Settings& settings, plumb::Host&) : settings_(settings) {}

  [[nodiscard]] plumb::Loss loss(const plumb::PairBatch& batch) override {
    const at::Tensor chosen = batch.policy_chosen - batch.reference_chosen;
    const at::Tensor rejected = batch.policy_rejected - batch.reference_rejected;
    return {at::relu(1 - settings_.beta * (chosen - rejected)).mean(), {}};
  }

 private:
  Settings settings_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "test.hinge", "0.1.0", "Apache-2.0", "hinge loss on pairs") {
  registrar.add<Hinge>("hinge").needs({"reference"});
}
