// Preference pairs under a PairwiseOptimizer: log-probabilities of each unique response once per micro-batch, and of
// the reference from what was computed before training.
//
//   PairObjective objective(policy, dpo, rows, std::move(reference));
//   objective.expect_identity();   // the run starts at its reference
//
// Thread contract: [lane].
#pragma once

#include <optional>

#include "framework/engine/training/pair_rows.h"
#include "framework/engine/training/reference.h"
#include "framework/engine/training/token_objective.h"
#include "plumb/tensor/optimizer.h"

namespace plumb {

class PairObjective final : public Objective {
 public:
  PairObjective(LanguageModel& policy, Made<PairwiseOptimizer> optimizer, PairRows data,
                std::optional<ReferenceLogps> reference)
      : policy_(policy), optimizer_(std::move(optimizer)), data_(std::move(data)), reference_(std::move(reference)) {}

  // Update 0 then checks every log-ratio to be zero (so margins are 0 and DPO's loss is ln 2) and throws
  // Error(run_failed) that says which response differs, by how much, and what usually causes it.
  void expect_identity() { identity_expected_ = true; }
  // The largest |log-ratio| that update 0 saw.
  [[nodiscard]] std::optional<double> identity_error() const { return identity_error_; }

  [[nodiscard]] std::size_t size() const override { return data_.pairs.size(); }
  [[nodiscard]] std::string describe(std::size_t example) const override { return data_.describe(example); }
  [[nodiscard]] BatchTotals totals(std::span<const std::size_t> batch) const override { return data_.totals(batch); }
  void arrange(std::vector<std::size_t>& batch) const override { data_.arrange(batch); }
  void starting(std::int64_t update) override { at_start_ = update == 0; }
  [[nodiscard]] MicroLoss micro_loss(std::span<const std::size_t> micro, const BatchTotals& totals) override;

 private:
  void add_tokens(PairBatch& batch, const CompletionLogps& logps, const UniqueResponses& unique) const;

  LanguageModel& policy_;
  Made<PairwiseOptimizer> optimizer_;
  PairRows data_;
  std::optional<ReferenceLogps> reference_;
  bool identity_expected_ = false, at_start_ = false;
  std::optional<double> identity_error_;
};

}  // namespace plumb
