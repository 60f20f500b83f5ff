// Preferences under a ScoreOptimizer: the reward head's output at the last token of each unique response.
//
// Thread contract: [lane].
#pragma once

#include "framework/core/components/made.h"
#include "framework/engine/training/optimizer_loss.h"
#include "framework/engine/training/pair_rows.h"

namespace plumb {

class ScoreObjective final : public Objective {
 public:
  ScoreObjective(LanguageModel& reward_model, Made<ScoreOptimizer> optimizer, PairRows data)
      : model_(reward_model), optimizer_(std::move(optimizer)), data_(std::move(data)) {}
  [[nodiscard]] std::size_t size() const override { return data_.pairs.size(); }
  [[nodiscard]] std::string describe(std::size_t example) const override { return data_.describe(example); }
  [[nodiscard]] BatchTotals totals(std::span<const std::size_t> batch) const override { return data_.totals(batch); }
  void arrange(std::vector<std::size_t>& batch) const override { data_.arrange(batch); }
  [[nodiscard]] MicroLoss micro_loss(std::span<const std::size_t> micro, const BatchTotals& totals) override;
  [[nodiscard]] const PairRows& data() const { return data_; }

 private:
  LanguageModel& model_;
  Made<ScoreOptimizer> optimizer_;
  PairRows data_;
};

}  // namespace plumb
