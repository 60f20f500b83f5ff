// A pairwise and an online optimizer with the defects of losses.
#include <ATen/TensorOperators.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/log.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>
#include <plumb/plugin.h>
#include <plumb/tensor/optimizer.h>

#include <cmath>

#include "defect.h"

using defect::broken;

namespace {

struct Nothing {};

class Preferring final : public plumb::PairwiseOptimizer {
 public:
  using Settings = Nothing;
  static plumb::Params<Settings> params() { return plumb::Params<Settings>{"log-sigmoid of the log-ratio gap"}; }
  Preferring(const Settings&, plumb::Host&) {}
  [[nodiscard]] plumb::Loss loss(const plumb::PairBatch& b) override {
    at::Tensor gap = (b.policy_chosen - b.reference_chosen) - (b.policy_rejected - b.reference_rejected);
    if (broken("loss-with-texts")) gap = gap + 0.1 * b.policy_chosen;
    if (broken("gradient-wrong")) gap = gap.detach() + 0.5 * (gap - gap.detach());
    if (broken("gradient-half"))
      gap = b.policy_chosen.detach() - b.reference_chosen - (b.policy_rejected - b.reference_rejected);
    if (broken("detached")) gap = gap.detach();
    if (broken("torch-dice")) gap = gap + 1e-3 * at::rand(gap.sizes(), gap.options());
    if (broken("writes-into-batch")) b.reference_chosen.detach().add_(1);
    const at::Tensor losses =
        broken("extreme-nan") ? -at::log(1 / (1 + at::exp(-0.1 * gap))) : -at::log_sigmoid(0.1 * gap);
    plumb::Loss out{broken("sum-not-mean") ? losses.sum() : losses.mean(), {}};
    if (broken("loss-vector")) out.value = losses;
    if (broken("loss-nan")) out.value = out.value + (b.margin * 0).sum();
    out.metrics["rewards/margins"] = (broken("margin-metric") ? gap.detach() + 1 : gap.detach()).mean().item<double>();
    if (broken("metric-nan")) out.metrics["margin"] = b.margin.mean().item<double>();
    return out;
  }
};

class Reinforcing final : public plumb::OnlineOptimizer {
 public:
  using Settings = Nothing;
  static plumb::Params<Settings> params() { return plumb::Params<Settings>{"policy gradient on centred rewards"}; }
  Reinforcing(const Settings&, plumb::Host&) {}
  std::map<std::string, double> prepare(plumb::RolloutBatch& b) override {
    b.advantages = (b.rewards - b.rewards.mean()).unsqueeze(1).expand_as(b.mask).clone();
    return {};
  }
  [[nodiscard]] plumb::Loss loss(const plumb::RolloutBatch& b, const at::Tensor& logps, const at::Tensor&,
                                 std::int64_t total_tokens) override {
    const at::Tensor each = -logps * b.advantages;
    const at::Tensor real = broken("padding-counts") ? each : at::where(b.mask, each, at::zeros_like(each));
    const double tokens = broken("own-count") ? b.mask.sum().item<double>() : static_cast<double>(total_tokens);
    return {real.sum() / tokens, {}};
  }
};

}  // namespace

PLUMB_PLUGIN(registrar, "test.broken-optimizer", "1.0.0", "Apache-2.0", "losses with a defect of their file's name") {
  auto added = registrar.add<Preferring>("preferring");
  if (!broken("takes-nothing")) added.takes({"pairs"});
  added.needs({"reference"});
  registrar.add<Reinforcing>("reinforcing").takes({"prompts"});
}
