// mean-likelihood: fine-tuning in which every sequence counts alike, however long it is.
#include <ATen/TensorOperators.h>
#include <plumb/plugin.h>
#include <plumb/tensor/optimizer.h>

namespace {

class MeanLikelihood final : public plumb::SequenceOptimizer {
 public:
  struct Settings {};
  static plumb::Params<Settings> params() { return plumb::Params<Settings>{"minus the mean log-probability"}; }
  MeanLikelihood(const Settings&, plumb::Host&) {}
  [[nodiscard]] plumb::Loss loss(const plumb::SequenceBatch& b) override {
    return {-b.means.sum() / b.total_sequences, {{"mean_logps", b.means.mean().item<double>()}}};
  }
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.example.mean-likelihood", "0.1.0", "Apache-2.0",
             "every sequence counts alike" PLUMB_STATUS("experimental")) {
  registrar.add<MeanLikelihood>("mean-likelihood");
}
