#include "framework/engine/training/pair_objective.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

namespace plumb {
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
    if (identity_expected_ && at_start_ && at::GradMode::is_enabled()) {
      const auto type = policy_.parameters->all().front()->tensor->scalar_type();
      const double error = require_identity(policy.detach(), reference, unique.origin, data_, type);
      identity_error_ = std::max(identity_error_.value_or(0), error);
    }
    batch.reference_chosen = reference.index_select(0, unique.chosen);
    batch.reference_rejected = reference.index_select(0, unique.rejected);
  }
  batch.chosen_length = unique.chosen_length;
  batch.rejected_length = unique.rejected_length;
  batch.margin = unique.margin;
  if (optimizer_.call(&PairwiseOptimizer::per_token)) add_tokens(batch, logps, unique);
  Loss loss = optimizer_.call(&PairwiseOptimizer::loss, batch);
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

}  // namespace plumb
