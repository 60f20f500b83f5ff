#include "framework/engine/training/token_objective.h"

#include <ATen/core/grad_mode.h>

#include <numeric>

namespace plumb {

TokenObjective::TokenObjective(LanguageModel& model, Made<TokenOptimizer> optimizer, TokenRows data)
    : model_(model), optimizer_(std::move(optimizer)), data_(std::move(data)) {
  learnt_.reserve(data_.rows.size());
  for (const MaskedSequence& row : data_.rows) {  // the first token has nothing that predicts it
    learnt_.push_back(row.learn.empty() ? 0 : std::accumulate(row.learn.begin() + 1, row.learn.end(), std::int64_t{0}));
  }
}

BatchTotals TokenObjective::totals(std::span<const std::size_t> batch) const {
  BatchTotals totals{.examples = static_cast<std::int64_t>(batch.size())};
  for (const std::size_t row : batch) {
    totals.learnt_tokens += learnt_[row];
    totals.tokens += static_cast<std::int64_t>(data_.rows[row].ids.size());
  }
  return totals;
}

MicroLoss TokenObjective::micro_loss(std::span<const std::size_t> micro, const BatchTotals& totals) {
  std::vector<MaskedSequence> rows;
  rows.reserve(micro.size());
  for (const std::size_t row : micro) rows.push_back(data_.rows[row]);
  set_adapter_dropout(model_, at::GradMode::is_enabled());
  const CompletionLogps logps = masked_logps(model_, rows, {});
  const TokenLossBatch batch{.logps = Ragged::of(logps.tokens, logps.lengths),
                             .total_tokens = totals.learnt_tokens,
                             .total_sequences = totals.examples};
  Loss loss = optimizer_.call(&TokenOptimizer::loss, batch);
  return undivided(std::move(loss));
}

void set_adapter_dropout(LanguageModel& model, bool on) {
  if (!model.lora || model.lora->dropout == 0) return;
  for (const std::string& name : model.parameters->linear_names()) {
    const Linear* linear = model.parameters->find_linear(name);
    if (linear->adapter && !linear->adapter->of_base) linear->adapter->training = on;
  }
}

}  // namespace plumb
