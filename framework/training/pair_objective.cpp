#include "framework/training/pair_objective.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "framework/registry/registry.h"

namespace plumb {
namespace {

// What rounding explains, in nats a token: two groupings of the same float32 or bfloat16 computation.
double rounding_bound(at::ScalarType type, std::size_t tokens) {
  return (type == at::kFloat || type == at::kDouble ? 1e-4 : 5e-2) * static_cast<double>(tokens);
}

}  // namespace

MicroLoss PairObjective::micro_loss(std::span<const std::size_t> micro, const BatchTotals& totals) {
  const at::Device device = policy_.parameters->all().front()->tensor->device();
  const UniqueResponses unique = gather(data_, micro, device);
  const CompletionLogps logps = completion_logps(policy_, unique.groups, {});
  const at::Tensor policy = logps.sums();
  PairBatch batch;
  batch.policy_chosen = policy.index_select(0, unique.chosen);
  batch.policy_rejected = policy.index_select(0, unique.rejected);
  if (reference_) {
    const at::Tensor reference = reference_->sums(unique.origin, device);
    if (identity_expected_ && at_start_ && at::GradMode::is_enabled())
      check_identity(policy.detach(), reference, unique);
    batch.reference_chosen = reference.index_select(0, unique.chosen);
    batch.reference_rejected = reference.index_select(0, unique.rejected);
  }
  batch.chosen_length = unique.chosen_length;
  batch.rejected_length = unique.rejected_length;
  batch.margin = unique.margin;
  if (optimizer_.per_token()) add_tokens(batch, logps, unique);
  Loss loss = guarded(name_.component, name_.stage, [&] { return optimizer_.loss(batch); });
  if (totals.examples == static_cast<std::int64_t>(micro.size()))
    return {std::move(loss.value), std::move(loss.metrics)};
  const double share = static_cast<double>(micro.size()) / static_cast<double>(totals.examples);
  return {loss.value * share, std::move(loss.metrics)};
}

void PairObjective::add_tokens(PairBatch& batch, const CompletionLogps& logps, const UniqueResponses& unique) const {
  const std::vector<at::Tensor> policy = logps.per_response();
  const auto add = [&](const at::Tensor& places, std::vector<at::Tensor>& policy_tokens,
                       std::vector<at::Tensor>& reference_tokens) {
    const at::Tensor on_cpu = places.to(at::kCPU);
    const auto* place = on_cpu.const_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < on_cpu.numel(); ++i) {
      const auto at = static_cast<std::size_t>(place[i]);
      policy_tokens.push_back(policy[at]);
      if (reference_) reference_tokens.push_back(reference_->tokens(unique.origin[at]).to(policy[at].device()));
    }
  };
  add(unique.chosen, batch.policy_chosen_tokens, batch.reference_chosen_tokens);
  add(unique.rejected, batch.policy_rejected_tokens, batch.reference_rejected_tokens);
}

void PairObjective::check_identity(const at::Tensor& policy, const at::Tensor& reference,
                                   const UniqueResponses& unique) {
  const at::Tensor p = policy.to(at::kCPU, at::kDouble), r = reference.to(at::kCPU, at::kDouble);
  const auto type = policy_.parameters->all().front()->tensor->scalar_type();
  for (std::size_t i = 0; i < unique.origin.size(); ++i) {
    const auto [group, completion] = unique.origin[i];
    const double policy_logp = p.const_data_ptr<double>()[i], reference_logp = r.const_data_ptr<double>()[i];
    const double difference = std::abs(policy_logp - reference_logp);
    const std::size_t tokens = data_.groups[group].completions[completion].size();
    identity_error_ = std::max(identity_error_.value_or(0), difference);
    if (difference <= rounding_bound(type, tokens)) continue;
    throw Error(
        ErrorCode::run_failed,
        "before the first update the policy must equal its reference, so that margins are 0 and the loss is ln 2, "
        "but response " +
            std::to_string(completion) + " of prompt " + data_.names[group] + " (" + std::to_string(tokens) +
            " tokens) has log-probability " + std::to_string(policy_logp) + " under the policy and " +
            std::to_string(reference_logp) + " under the reference; rounding explains " +
            std::to_string(rounding_bound(type, tokens)) +
            ". Dropout that is on, an adapter whose B is not zero, another data type, or files of the start that "
            "changed between attempts cause this");
  }
}

}  // namespace plumb
