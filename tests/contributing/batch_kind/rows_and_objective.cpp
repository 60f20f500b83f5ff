// Demonstrations under a SequenceOptimizer.
#include "framework/engine/stages/training_task.h"
#include "framework/engine/training/token_objective.h"

namespace plumb {
namespace {

class SequenceObjective final : public Objective {
 public:
  SequenceObjective(LanguageModel& model, Made<SequenceOptimizer> optimizer, TokenRows data)
      : model_(model), optimizer_(std::move(optimizer)), data_(std::move(data)) {}
  [[nodiscard]] std::size_t size() const override { return data_.rows.size(); }
  [[nodiscard]] std::string describe(std::size_t example) const override { return data_.names[example]; }
  [[nodiscard]] BatchTotals totals(std::span<const std::size_t> batch) const override {
    BatchTotals totals{.examples = static_cast<std::int64_t>(batch.size())};
    for (const std::size_t row : batch) totals.tokens += static_cast<std::int64_t>(data_.rows[row].ids.size());
    return totals;
  }
  [[nodiscard]] MicroLoss micro_loss(std::span<const std::size_t> micro, const BatchTotals& totals) override {
    std::vector<MaskedSequence> rows;
    for (const std::size_t row : micro) rows.push_back(data_.rows[row]);
    const CompletionLogps logps = masked_logps(model_, rows, {});
    const Ragged tokens = Ragged::of(logps.tokens, logps.lengths);
    const SequenceBatch batch{.means = tokens.sums() / tokens.lengths(), .total_sequences = totals.examples};
    return undivided(optimizer_.call(&SequenceOptimizer::loss, batch));
  }

 private:
  LanguageModel& model_;
  Made<SequenceOptimizer> optimizer_;
  TokenRows data_;
};

}  // namespace

template <>
TrainingTask task_on<SequenceOptimizer>(const Made<SequenceOptimizer>& optimizer, TrainingSetup& setup) {
  return task_on_rows(setup, [&](const std::string& param, const Artifact& data) {
    auto rows = setup.rows_of(param, data, [&](const Artifact& artifact) {
      return demonstration_rows(artifact, setup.model, setup.rows, setup.context);
    });
    return std::make_unique<SequenceObjective>(setup.model, optimizer, std::move(rows));
  });
}

}  // namespace plumb
