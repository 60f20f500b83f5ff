#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "framework/core/catalogue/settings.h"
#include "framework/core/components/make.h"
#include "framework/engine/certificate/checks.h"
#include "framework/engine/training/pair_objective.h"
#include "framework/engine/training/score_objective.h"
#include "plumb/tensor/linear.h"

namespace plumb {
namespace {

constexpr std::int64_t kTrainedWhole = 1 << 28;  // parameters; a larger model is measured with an adapter on it

using Gradient = std::vector<at::Tensor>;

Gradient take_gradient(const LanguageModel& model) {
  Gradient out;
  for (const Parameter* parameter : model.trainable()) {
    at::Tensor& gradient = parameter->tensor->mutable_grad();
    out.push_back(gradient.defined() ? gradient.clone() : at::zeros_like(*parameter->tensor));
    gradient.reset();
  }
  return out;
}

// |mine - wanted| / |wanted| over all tensors at once: single ones may have a gradient of zero (a key's bias).
double distance(const Gradient& mine, const Gradient& wanted) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    difference += (mine[i] - wanted[i]).square().sum().item<double>();
    size += wanted[i].square().sum().item<double>();
  }
  return std::sqrt(difference / size);
}

// The gradient of all examples at once, against one example at a time in another order.
double accumulation_error(const LanguageModel& model, Objective& objective) {
  std::vector<std::size_t> batch;
  for (std::size_t i = 0; i < objective.size(); ++i) batch.push_back(i);
  const BatchTotals totals = objective.totals(batch);
  objective.micro_loss(batch, totals).share.backward();
  const Gradient whole = take_gradient(model);
  std::reverse(batch.begin(), batch.end());
  for (const std::size_t& example : batch) objective.micro_loss({&example, 1}, totals).share.backward();
  return distance(take_gradient(model), whole);
}

class TrainingChecks {
 public:
  explicit TrainingChecks(const Measuring& with)
      : with_(with),
        model_(open_subject(with.subject, with.registry, with.host, {.merge_adapter = true, .tokenizer = false})) {
    if (model_.parameter_count() > kTrainedWhole) {
      start();
      return;
    }
    for (const Parameter* parameter : model_.parameters->all()) parameter->tensor->set_requires_grad(true);
  }

  std::vector<Check> of_policy() {
    return {
        measured("accumulation_tokens", "gradient over demonstrations as one batch, and in micro-batches of one",
                 kRoundingBound,
                 [&] {
                   const auto sft = optimizer<TokenOptimizer>(SftSettings{}.optimizer);
                   TokenObjective objective(model_, sft, with_.material.demonstrations());
                   return accumulation_error(model_, objective);
                 }),
        measured("accumulation_pairs", "gradient over pairs as one batch, each response once, and pair by pair",
                 kRoundingBound,
                 [&] {
                   const auto dpo = optimizer<PairwiseOptimizer>(TrainSettings{}.optimizer);
                   PairObjective objective(model_, dpo, with_.material.pairs(), reference(1));
                   return accumulation_error(model_, objective);
                 }),
        measured("step_0_identity", "largest |log-ratio| to the reference before the first update, nats a token", 1e-4,
                 [&] { return identity_error(); }),
        measured("step_0_loss", "DPO's loss before the first update, minus ln 2", 1e-4, [&] { return loss_error(); })};
  }

  std::vector<Check> of_reward_model() {
    return {measured("accumulation_pairs", "gradient over pairs as one batch, and in micro-batches of one",
                     kRoundingBound, [&] {
                       const auto ranking = optimizer<ScoreOptimizer>(RewardModelSettings{}.optimizer);
                       ScoreObjective objective(model_, ranking, with_.material.pairs());
                       return accumulation_error(model_, objective);
                     })};
  }

 private:
  template <class Kind>
  Made<Kind> optimizer(const ComponentRef& ref) {
    return make<Optimizer>(with_.registry, ref.name, Value::map(), with_.host).as<Kind>();
  }

  // As reference_logps: adapters off, in passes of their own. `moved` puts the reference that far from the policy, so
  // that pairs have unequal weights.
  ReferenceLogps reference(double moved) {
    const at::NoGradGuard no_gradients;
    const AdaptersOff off;
    ReferenceLogps out;
    for (std::size_t g = 0; g < with_.material.groups.size(); ++g) {
      const at::Tensor sums = completion_logps(model_, {&with_.material.groups[g], 1}, {}).sums();
      for (std::size_t c = 0; c < with_.material.groups[g].completions.size(); ++c) {
        const double offset = moved * std::sin(7.0 * static_cast<double>(g + 3 * c));
        out.put({g, c}, static_cast<float>(sums[static_cast<std::int64_t>(c)].item<double>() + offset), {});
      }
    }
    return out;
  }

  // As a LoRA run starts: B is zero, so the policy is its reference.
  void start() {
    if (!model_.lora) attach_lora(model_, {}, Random(1));
  }

  double identity_error() {
    start();
    const at::Tensor policy = completion_logps(model_, with_.material.groups, {}).sums().detach();
    const ReferenceLogps frozen = reference(0);
    double worst = 0;
    std::int64_t i = 0;
    for (std::size_t g = 0; g < with_.material.groups.size(); ++g) {
      for (std::size_t c = 0; c < with_.material.groups[g].completions.size(); ++c, ++i) {
        const std::vector<ReferenceLogps::Origin> origin{{g, c}};
        const double difference = (policy[i] - frozen.sums(origin, policy.device())[0]).abs().item<double>();
        worst = std::max(worst, difference / static_cast<double>(with_.material.groups[g].completions[c].size()));
      }
    }
    return worst;
  }

  double loss_error() {
    start();
    const auto dpo = optimizer<PairwiseOptimizer>(TrainSettings{}.optimizer);
    PairObjective objective(model_, dpo, with_.material.pairs(), reference(0));
    std::vector<std::size_t> batch;
    for (std::size_t i = 0; i < objective.size(); ++i) batch.push_back(i);
    return std::abs(objective.micro_loss(batch, objective.totals(batch)).share.item<double>() - std::numbers::ln2);
  }

  const Measuring& with_;
  LanguageModel model_;
};

}  // namespace

std::vector<Check> training_checks(const Measuring& with) {
  try {
    TrainingChecks checks(with);
    return with.subject.reward ? checks.of_reward_model() : checks.of_policy();
  } catch (const std::exception& error) {
    return {{"training", "the model opened for training", 0, 0, error.what()}};
  }
}

}  // namespace plumb
