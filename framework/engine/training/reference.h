// Log-probabilities under the reference model: computed once per unique response before training, kept in the work
// folder.
//
//   ReferenceLogps reference =
//       reference_logps(model, rows, plan.visited(), {.name = "train", .tokens = false}, context);
//   at::Tensor sums = reference.sums(unique.origin);          // [responses]
//
// The reference is the model as it stands, adapters off: with LoRA the base, without it the start itself, so no second
// copy of the weights is held. Responses that no update visits are left out.
// Thread contract: [lane].
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "framework/core/catalogue/stage.h"
#include "framework/engine/modeling/language_model.h"
#include "framework/engine/training/pair_rows.h"

namespace plumb {

class ReferenceLogps {
 public:
  using Origin = std::pair<std::size_t, std::size_t>;  // (group, completion)
  void put(const Origin& origin, float sum, at::Tensor tokens);
  // [responses] fp32 on `device`, in the order asked for. Throws Error(run_failed) for a response that was left out.
  [[nodiscard]] at::Tensor sums(std::span<const Origin> origins, const at::Device& device) const;
  [[nodiscard]] const at::Tensor& tokens(const Origin& origin) const;  // [completion tokens]; defined when asked for
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    float sum;
    at::Tensor tokens;
  };
  [[nodiscard]] const Entry& entry(const Origin& origin) const;
  std::map<Origin, Entry> entries_;
};

struct ReferenceOptions {
  std::string name = "train";          // of the files in the work folder
  bool tokens = false;                 // keep per-token values, too
  std::int64_t forward_tokens = 8192;  // per forward pass
  std::int64_t part_tokens = 1 << 20;  // per durable file: what an interruption can cost
};

// Throws Cancelled when the context asks to stop; finished parts stay and are not computed again.
ReferenceLogps reference_logps(LanguageModel& reference, const PairRows& rows, std::span<const std::size_t> pairs,
                               const ReferenceOptions& options, StageContext& context);

// For a run that starts at its reference: the largest |log-ratio| of the responses at `origins`, [responses] each.
// Throws Error(run_failed) that says which response differs by more than rounding explains, and what usually causes it.
double require_identity(const at::Tensor& policy, const at::Tensor& reference,
                        std::span<const ReferenceLogps::Origin> origins, const PairRows& rows, at::ScalarType weights);

}  // namespace plumb
