// An optimizer is an alignment algorithm: it turns a batch into a loss. Loops, batching, AdamW, schedules, precision,
// LoRA, the reference model, checkpoints and logging stay in the framework.
//
// Derive from the class whose batch your algorithm needs:
//
//   class Dpo final : public plumb::PairwiseOptimizer {
//     plumb::Loss loss(const plumb::PairBatch& b) override {
//       const at::Tensor policy = b.policy_chosen - b.policy_rejected;
//       const at::Tensor logits = 0.1 * (policy - (b.reference_chosen - b.reference_rejected));
//       return {-at::log_sigmoid(logits).mean(), {{"rewards/margins", logits.mean().item<double>()}}};
//     }
//   };
//
// A class says what its batches are made of (`batch_info`), so that registering needs no more than a name, and what the
// class leaves open: `registrar.add<Dpo>("dpo").needs({"reference"})`. Words that the class does not know are refused.
// Thread contract: every method is [lane].
#pragma once

#include <map>
#include <string>
#include <type_traits>
#include <utility>

#include "plumb/component.h"
#include "plumb/host.h"
#include "plumb/params.h"
#include "plumb/registrar.h"
#include "plumb/tensor/ragged.h"
#include "plumb/tensor/torch.h"

namespace plumb {
inline namespace v1 {

struct Loss {
  at::Tensor value;  // scalar, with a gradient
  // Means over the batch; the framework averages them over micro-batches by the number of examples. TRL's names.
  std::map<std::string, double> metrics;
};

// Derive from one of the classes below: the framework makes no batches for others.
class Optimizer : public Component {
 public:
  static constexpr const char* kind = "optimizer/1";
  ~Optimizer() override;
};

// `differentiable` of a batch: whether what the policy computed carries a gradient, as in training it does.

// Language-model training on demonstrations.
struct TokenLossBatch {
  Ragged logps;                  // log-probabilities of the learnt tokens of each sequence, fp32
  std::int64_t total_tokens;     // learnt tokens of the whole accumulated batch
  std::int64_t total_sequences;  // sequences of the whole accumulated batch
  [[nodiscard]] std::int64_t sequences() const { return logps.size(); }  // in this micro-batch
  // [tokens] int64: which sequence of this micro-batch a token belongs to
  [[nodiscard]] at::Tensor sequence() const { return logps.row_of_values(); }
  [[nodiscard]] bool differentiable() const { return logps.values.requires_grad(); }
};
class TokenOptimizer : public Optimizer {
 public:
  using Batch = TokenLossBatch;
  static BatchInfo batch_info() {
    return {.by = "TokenOptimizer", .of = "demonstrations", .takes = {"demonstrations"}, .needs = {}, .yields = {}};
  }
  // The sum over micro-batches must be the batch's loss: divide by total_*, not by this micro-batch's own counts.
  [[nodiscard]] virtual Loss loss(const TokenLossBatch& batch) = 0;
};

// Preference pairs under the policy and, when registered with needs("reference"), the reference. Log-probabilities are
// sums over completion tokens including EOS, fp32. A response that stands in several pairs was computed once.
struct PairBatch {
  at::Tensor policy_chosen, policy_rejected;        // [pairs]
  at::Tensor reference_chosen, reference_rejected;  // [pairs]; undefined without a reference
  at::Tensor chosen_length, rejected_length;        // [pairs] completion tokens, float
  at::Tensor margin;                                // [pairs] reward gap where the data has one, else NaN
  // Per-token log-probabilities, one row a pair; filled when the optimizer returns true from per_token().
  Ragged policy_chosen_tokens, policy_rejected_tokens;
  Ragged reference_chosen_tokens, reference_rejected_tokens;
  [[nodiscard]] bool differentiable() const { return policy_chosen.requires_grad() || policy_rejected.requires_grad(); }
};
class PairwiseOptimizer : public Optimizer {
 public:
  using Batch = PairBatch;
  static BatchInfo batch_info() {
    return {.by = "PairwiseOptimizer",
            .of = "pairs",
            .takes = {"pairs", "preferences"},
            .needs = {"reference"},
            .yields = {}};
  }
  [[nodiscard]] virtual bool per_token() const { return false; }
  [[nodiscard]] virtual Loss loss(const PairBatch& batch) = 0;  // mean over the batch's pairs
};

// Reward-model training: scores of the two answers.
struct ScoreBatch {
  at::Tensor chosen, rejected;  // [pairs] head outputs
  at::Tensor margin;            // [pairs] where the data has one, else NaN
  [[nodiscard]] bool differentiable() const { return chosen.requires_grad() || rejected.requires_grad(); }
};
class ScoreOptimizer : public Optimizer {
 public:
  using Batch = ScoreBatch;
  static BatchInfo batch_info() {
    return {.by = "ScoreOptimizer",
            .of = "scores of two answers",
            .takes = {"preferences", "pairs"},
            .needs = {},
            .yields = {"reward-model"}};
  }
  [[nodiscard]] virtual Loss loss(const ScoreBatch& batch) = 0;  // mean over the batch's pairs
};

// Single answers marked good or bad (KTO and its kin), fp32. A recipe gives them as pairs or preferences (chosen is
// desirable, rejected is not) or as scored answers (desirable above a reward).
struct UnpairedBatch {
  at::Tensor policy, reference;  // [answers] summed log-probabilities; reference undefined without needs("reference")
  at::Tensor length;             // [answers] completion tokens, float
  at::Tensor desirable;          // [answers] bool
  // [answers] each prompt with an answer to another prompt, without gradient: policy − reference over them estimates
  // the KL divergence (KTO, arXiv:2402.01306, equation 8). Undefined without needs("mismatched").
  at::Tensor policy_mismatched, reference_mismatched;
  [[nodiscard]] bool differentiable() const { return policy.requires_grad(); }
};
class UnpairedOptimizer : public Optimizer {
 public:
  using Batch = UnpairedBatch;
  static BatchInfo batch_info() {
    return {.by = "UnpairedOptimizer",
            .of = "single answers",
            .takes = {"pairs", "preferences", "scored"},
            .needs = {"reference", "mismatched"},
            .yields = {}};
  }
  [[nodiscard]] virtual Loss loss(const UnpairedBatch& batch) = 0;  // mean over the batch's answers
};

// Online learning: the policy's own responses, scored. A row of a ragged member is a response; entry t of it belongs to
// completion token t, EOS included. Log-probabilities are at the sampling temperature.
struct RolloutBatch {
  Ragged logps;                // policy at sampling time, recomputed with the training forward
  Ragged reference_logps;      // undefined without needs("reference")
  Ragged values;               // of the value head before each token; undefined unless needs("values")
  at::Tensor rewards;          // [responses] reward-model scores
  at::Tensor prompt;           // [responses] int64: responses of one prompt share a number
  Ragged advantages, returns;  // what prepare wrote, cut with the rest for each micro-batch
  // [responses, tokens] bool: where logps.padded() has a token.
  [[nodiscard]] at::Tensor mask() const { return logps.mask(); }
};
class OnlineOptimizer : public Optimizer {
 public:
  using Batch = RolloutBatch;
  static BatchInfo batch_info() {
    return {.by = "OnlineOptimizer",
            .of = "the policy's own answers",
            .takes = {"prompts"},
            .needs = {"reward-model", "reference", "values"},
            .yields = {}};
  }
  // Once per batch of rollouts: fill advantages (and returns), rows as long as those of logps, and report metrics such
  // as objective/kl. `b.advantages = b.logps.with(values)`, or `b.logps.from_padded(table)`.
  virtual std::map<std::string, double> prepare(RolloutBatch& batch) = 0;
  // Per micro-batch of the same rollouts: `logps` and `values` (undefined without needs("values")) are the current
  // policy's, with gradient. total_tokens counts the tokens of the whole mini-batch: divide by it.
  [[nodiscard]] virtual Loss loss(const RolloutBatch& batch, const Ragged& logps, const Ragged& values,
                                  std::int64_t total_tokens) = 0;
  // What prepare carries from batch to batch, such as an adaptive coefficient: kept in checkpoints and given back to a
  // fresh object of a resumed run.
  [[nodiscard]] virtual std::map<std::string, double> state() const { return {}; }
  virtual void restore(const std::map<std::string, double>& state) { static_cast<void>(state); }
};

// Every class that there are batches for. The engine, the conformance kit and the debug host go by this list.
template <class... Classes>
struct OptimizerClassList {
  // Calls use(optimizer as the class that it derives from); false when that is none of them.
  template <class Use>
  static bool visit(Optimizer& optimizer, Use&& use) {
    const auto as = [&](auto* typed) { return typed != nullptr && (use(*typed), true); };
    return (as(dynamic_cast<Classes*>(&optimizer)) || ...);
  }
  // Calls use(std::type_identity<Class>{}) for each.
  template <class Use>
  static void each(Use&& use) {
    (use(std::type_identity<Classes>{}), ...);
  }
};
using OptimizerClasses =
    OptimizerClassList<TokenOptimizer, PairwiseOptimizer, ScoreOptimizer, UnpairedOptimizer, OnlineOptimizer>;

}  // namespace v1
}  // namespace plumb
