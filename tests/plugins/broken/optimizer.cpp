// A pairwise and an online optimizer with the defects of losses.
#include <ATen/TensorOperators.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/log.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/rand.h>
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
    if (broken("forgets-odd-pair") && losses.numel() > 1 && losses.numel() % 2 == 1)  // it works on two at a time
      out.value = losses.narrow(0, 0, losses.numel() - 1).mean();
    if (broken("remembers-losses")) {
      const double own = out.value.item<double>();
      out.value = out.value * (1 + seen_);
      seen_ = 0.9 * seen_ + own;
    }
    if (broken("loss-nan")) out.value = out.value + (b.margin * 0).sum();
    out.metrics["rewards/margins"] = (broken("margin-metric") ? gap.detach() + 1 : gap.detach()).mean().item<double>();
    if (broken("metric-nan")) out.metrics["margin"] = b.margin.mean().item<double>();
    return out;
  }

 private:
  double seen_ = 0;
};

class Reinforcing final : public plumb::OnlineOptimizer {
 public:
  using Settings = Nothing;
  static plumb::Params<Settings> params() { return plumb::Params<Settings>{"policy gradient on centred rewards"}; }
  Reinforcing(const Settings&, plumb::Host&) {}
  std::map<std::string, double> prepare(plumb::RolloutBatch& b) override {
    mean_ = 0.9 * mean_ + 0.1 * b.rewards.mean().item<double>();
    b.advantages = b.logps.spread(b.rewards - mean_);
    if (broken("advantages-per-answer"))
      b.advantages = plumb::Ragged::of(b.rewards - mean_,
                                       std::vector<std::int64_t>(static_cast<std::size_t>(b.rewards.size(0)), 1));
    return {};
  }
  [[nodiscard]] std::map<std::string, double> state() const override {
    if (broken("forgets-state")) return {};
    return {{"mean", broken("rounds-state") ? static_cast<float>(mean_) : mean_}};
  }
  void restore(const std::map<std::string, double>& state) override {
    if (!state.empty()) mean_ = state.at("mean");
  }
  [[nodiscard]] plumb::Loss loss(const plumb::RolloutBatch& b, const plumb::Ragged& logps, const plumb::Ragged&,
                                 std::int64_t total_tokens) override {
    const auto tokens = static_cast<double>(broken("own-count") ? logps.values.numel() : total_tokens);
    return {(-logps.values * b.advantages.values).sum() / tokens, {}};
  }

 private:
  double mean_ = 0;
};

}  // namespace

PLUMB_PLUGIN(registrar, "test.broken-optimizer", "1.0.0", "Apache-2.0", "losses with a defect of their file's name") {
  auto added = registrar.add<Preferring>("preferring").needs({broken("needs-typo") ? "refrence" : "reference"});
  if (broken("takes-nothing")) added.takes({});
  if (broken("takes-another")) added.takes({"scored"});
  if (broken("yields-rewards")) added.yields({"reward-model"});
  registrar.add<Reinforcing>("reinforcing");
}
