// Demonstrations under a TokenOptimizer: one ragged batch of whole sequences with a mask of learnt tokens.
//
//   TokenObjective objective(model, make<Optimizer>(context, ref).as<TokenOptimizer>(), rows);
//
// Thread contract: [lane].
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "framework/core/components/made.h"
#include "framework/engine/modeling/grouped_forward.h"
#include "framework/engine/training/optimizer_loss.h"

namespace plumb {

struct TokenRows {
  std::vector<MaskedSequence> rows;
  std::vector<std::string> names;  // of each row, for messages
};

class TokenObjective final : public Objective {
 public:
  TokenObjective(LanguageModel& model, Made<TokenOptimizer> optimizer, TokenRows data);
  [[nodiscard]] std::size_t size() const override { return data_.rows.size(); }
  [[nodiscard]] std::string describe(std::size_t example) const override { return data_.names[example]; }
  [[nodiscard]] BatchTotals totals(std::span<const std::size_t> batch) const override;
  [[nodiscard]] MicroLoss micro_loss(std::span<const std::size_t> micro, const BatchTotals& totals) override;

 private:
  LanguageModel& model_;
  Made<TokenOptimizer> optimizer_;
  TokenRows data_;
  std::vector<std::int64_t> learnt_;  // tokens of each row
};

// LoRA's dropout acts in supervised fine-tuning only, as in TRL, and never in an evaluation.
void set_adapter_dropout(LanguageModel& model, bool on);

}  // namespace plumb
