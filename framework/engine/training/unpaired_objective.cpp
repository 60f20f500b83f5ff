#include "framework/engine/training/unpaired_objective.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>

#include "plumb/tensor/upload.h"

namespace plumb {

UnpairedObjective::UnpairedObjective(LanguageModel& policy, Made<UnpairedOptimizer> optimizer, UnpairedRows data,
                                     std::optional<ReferenceLogps> reference, const UnpairedOptions& options)
    : policy_(policy),
      optimizer_(std::move(optimizer)),
      data_(std::move(data)),
      reference_(std::move(reference)),
      options_(options) {
  set_adapter_dropout(policy_, false);
}

std::string UnpairedObjective::describe(std::size_t example) const {
  const PairRows::Pair& pair = data_.rows.pairs[example];
  return "answer " + std::to_string(pair.chosen) + " to prompt " + data_.rows.names[pair.group] +
         (data_.desirable[example] != 0 ? " (desirable)" : " (undesirable)");
}

BatchTotals UnpairedObjective::totals(std::span<const std::size_t> batch) const {
  BatchTotals totals{.examples = static_cast<std::int64_t>(batch.size())};
  for (const std::size_t row : batch) {
    const PairRows::Pair& pair = data_.rows.pairs[row];
    const SequenceGroup& group = data_.rows.groups[pair.group];
    const auto learnt = static_cast<std::int64_t>(group.completions[pair.chosen].size());
    totals.learnt_tokens += learnt;
    totals.tokens += learnt + static_cast<std::int64_t>(group.prompt.size());
  }
  return totals;
}

UnpairedObjective::Sums UnpairedObjective::sums_of(std::span<const std::size_t> micro, bool mismatched) {
  std::vector<SequenceGroup> groups;
  Sums out;
  for (const std::size_t row : micro) {
    const PairRows::Pair& pair = data_.rows.pairs[row];
    const std::size_t completion = mismatched ? pair.rejected : pair.chosen;
    const SequenceGroup& source = data_.rows.groups[pair.group];
    const bool same = !out.origins.empty() && out.origins.back().first == pair.group;
    if (!same) groups.push_back({source.prompt, {}});
    groups.back().completions.push_back(source.completions[completion]);
    out.origins.emplace_back(pair.group, completion);
  }
  out.policy = completion_logps(policy_, groups, {}).sums();
  if (reference_) out.reference = reference_->sums(out.origins, out.policy.device());
  return out;
}

MicroLoss UnpairedObjective::micro_loss(std::span<const std::size_t> micro, const BatchTotals& totals) {
  UnpairedBatch batch;
  const Sums matched = sums_of(micro, false);
  batch.policy = matched.policy;
  batch.reference = matched.reference;
  if (reference_ && options_.starts_at_reference && at_start_ && at::GradMode::is_enabled()) {
    static_cast<void>(
        require_identity(batch.policy.detach(), batch.reference, matched.origins, data_.rows, policy_.dtype()));
  }
  if (options_.mismatched) {
    const at::NoGradGuard no_grad;
    const Sums other = sums_of(micro, true);
    batch.policy_mismatched = other.policy;
    batch.reference_mismatched = other.reference;
  }
  std::vector<float> lengths;
  std::vector<std::int64_t> desirable;
  for (const std::size_t row : micro) {
    const PairRows::Pair& pair = data_.rows.pairs[row];
    lengths.push_back(static_cast<float>(data_.rows.groups[pair.group].completions[pair.chosen].size()));
    desirable.push_back(data_.desirable[row]);
  }
  batch.length = upload(at::tensor(lengths), batch.policy.device());
  batch.desirable = upload(at::tensor(desirable), batch.policy.device()).to(at::kBool);
  Loss loss = optimizer_.call(&UnpairedOptimizer::loss, batch);
  return weighted(std::move(loss), micro, totals);
}

}  // namespace plumb
