// Single answers, good or bad, under an UnpairedOptimizer: log-probabilities of each answer, of another prompt's answer
// in its place (for an estimate of the KL divergence), and of both under the reference.
//
//   UnpairedObjective objective(policy, kto, rows, std::move(reference), {.mismatched = true});
//
// Thread contract: [lane].
#pragma once

#include <optional>

#include "framework/engine/training/pair_rows.h"
#include "framework/engine/training/reference.h"
#include "framework/engine/training/token_objective.h"
#include "plumb/tensor/optimizer.h"

namespace plumb {

// An example is a pair of `rows`: chosen is the answer, rejected the one of another prompt.
struct UnpairedRows {
  PairRows rows;
  std::vector<std::uint8_t> desirable;  // of each pair
};

struct UnpairedOptions {
  bool mismatched = false;           // the optimizer asked for needs("mismatched")
  bool starts_at_reference = false;  // check the first update's log-ratios to be zero
};

class UnpairedObjective final : public Objective {
 public:
  UnpairedObjective(LanguageModel& policy, Made<UnpairedOptimizer> optimizer, UnpairedRows data,
                    std::optional<ReferenceLogps> reference, const UnpairedOptions& options);

  [[nodiscard]] std::size_t size() const override { return data_.desirable.size(); }
  [[nodiscard]] std::string describe(std::size_t example) const override;
  [[nodiscard]] BatchTotals totals(std::span<const std::size_t> batch) const override;
  void arrange(std::vector<std::size_t>& batch) const override { data_.rows.arrange(batch); }
  void starting(std::int64_t update) override { at_start_ = update == 0; }
  [[nodiscard]] MicroLoss micro_loss(std::span<const std::size_t> micro, const BatchTotals& totals) override;

 private:
  struct Sums {
    at::Tensor policy, reference;
    std::vector<ReferenceLogps::Origin> origins;
  };
  [[nodiscard]] Sums sums_of(std::span<const std::size_t> micro, bool mismatched);

  LanguageModel& policy_;
  Made<UnpairedOptimizer> optimizer_;
  UnpairedRows data_;
  std::optional<ReferenceLogps> reference_;
  UnpairedOptions options_;
  bool at_start_ = false;
};

}  // namespace plumb
