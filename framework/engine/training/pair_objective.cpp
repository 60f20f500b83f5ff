#include "framework/engine/training/pair_objective.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

namespace plumb {
namespace {

std::vector<std::int64_t> numbers_in(const at::Tensor& places) {
  const at::Tensor on_cpu = places.to(at::kCPU);
  const auto* place = on_cpu.const_data_ptr<std::int64_t>();
  return {place, place + on_cpu.numel()};
}

}  // namespace

MicroLoss PairObjective::micro_loss(std::span<const std::size_t> micro, const BatchTotals& totals) {
  const at::Device device = policy_.device();
  const UniqueResponses unique = gather(data_, micro, device);
  const CompletionLogps logps = completion_logps(policy_, unique.groups, {});
  const at::Tensor policy = logps.sums();
  PairBatch batch;
  batch.policy_chosen = policy.index_select(0, unique.chosen);
  batch.policy_rejected = policy.index_select(0, unique.rejected);
  if (reference_) {
    const at::Tensor reference = reference_->sums(unique.origin, device);
    if (identity_expected_ && at_start_ && at::GradMode::is_enabled()) {
      const double error = require_identity(policy.detach(), reference, unique.origin, data_, policy_.dtype());
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
  return weighted(std::move(loss), micro, totals);
}

void PairObjective::add_tokens(PairBatch& batch, const CompletionLogps& logps, const UniqueResponses& unique) const {
  const std::vector<std::int64_t> chosen = numbers_in(unique.chosen), rejected = numbers_in(unique.rejected);
  const Ragged policy = Ragged::of(logps.tokens, logps.lengths);
  batch.policy_chosen_tokens = policy.select(chosen);
  batch.policy_rejected_tokens = policy.select(rejected);
  if (!reference_) return;
  std::vector<at::Tensor> rows;
  for (const ReferenceLogps::Origin& origin : unique.origin) rows.push_back(reference_->tokens(origin));
  Ragged reference = Ragged::of(rows);
  reference = reference.with(reference.values.to(policy.values.device()));
  batch.reference_chosen_tokens = reference.select(chosen);
  batch.reference_rejected_tokens = reference.select(rejected);
}

}  // namespace plumb
