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
// Register with the artifact types trained on: `registrar.add<Dpo>("dpo").takes({"pairs"}).needs({"reference"})`.
// Thread contract: every method is [lane].
#pragma once

#include <map>
#include <string>
#include <vector>

#include "plumb/component.h"
#include "plumb/host.h"
#include "plumb/params.h"
#include "plumb/tensor/torch.h"

namespace plumb {
inline namespace v1 {

struct Loss {
  at::Tensor value;  // scalar, with a gradient
  // Means over the batch; the framework averages them over micro-batches by the number of examples. TRL's names.
  std::map<std::string, double> metrics;
};

class Optimizer : public Component {
 public:
  static constexpr const char* kind = "optimizer/1";
  enum class Batch { tokens, pairs, scores, unpaired, rollouts };
  ~Optimizer() override;
  [[nodiscard]] virtual Batch batch() const = 0;  // answered by the classes below
};

// Language-model training on demonstrations. All completion tokens of a batch, laid end to end.
struct TokenLossBatch {
  at::Tensor logps;              // [tokens] log-probability of each learnt token, fp32
  at::Tensor sequence;           // [tokens] int64: which sequence of this micro-batch a token belongs to
  std::int64_t sequences;        // in this micro-batch
  std::int64_t total_tokens;     // learnt tokens of the whole accumulated batch
  std::int64_t total_sequences;  // sequences of the whole accumulated batch
};
class TokenOptimizer : public Optimizer {
 public:
  [[nodiscard]] Batch batch() const final { return Batch::tokens; }
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
  // Per-token log-probabilities, one tensor a pair; filled when the optimizer returns true from per_token().
  std::vector<at::Tensor> policy_chosen_tokens, policy_rejected_tokens;
  std::vector<at::Tensor> reference_chosen_tokens, reference_rejected_tokens;
};
class PairwiseOptimizer : public Optimizer {
 public:
  [[nodiscard]] Batch batch() const final { return Batch::pairs; }
  [[nodiscard]] virtual bool per_token() const { return false; }
  [[nodiscard]] virtual Loss loss(const PairBatch& batch) = 0;  // mean over the batch's pairs
};

// Reward-model training: scores of the two answers.
struct ScoreBatch {
  at::Tensor chosen, rejected;  // [pairs] head outputs
  at::Tensor margin;            // [pairs] where the data has one, else NaN
};
class ScoreOptimizer : public Optimizer {
 public:
  [[nodiscard]] Batch batch() const final { return Batch::scores; }
  [[nodiscard]] virtual Loss loss(const ScoreBatch& batch) = 0;  // mean over the batch's pairs
};

// Single answers marked good or bad (KTO and its kin), fp32. A recipe gives them as pairs or preferences (chosen is
// desirable, rejected is not) or as scored answers (desirable above a reward). Register with
// `takes({"pairs", "preferences", "scored"}).needs({"reference", "mismatched"})`, leaving out what is not used.
struct UnpairedBatch {
  at::Tensor policy, reference;  // [answers] summed log-probabilities; reference undefined without needs("reference")
  at::Tensor length;             // [answers] completion tokens, float
  at::Tensor desirable;          // [answers] bool
  // [answers] each prompt with an answer to another prompt, without gradient: policy − reference over them estimates
  // the KL divergence (KTO, arXiv:2402.01306, equation 8). Undefined without needs("mismatched").
  at::Tensor policy_mismatched, reference_mismatched;
};
class UnpairedOptimizer : public Optimizer {
 public:
  [[nodiscard]] Batch batch() const final { return Batch::unpaired; }
  [[nodiscard]] virtual Loss loss(const UnpairedBatch& batch) = 0;  // mean over the batch's answers
};

// Online learning: the policy's own responses, scored. Ragged per-token tensors are padded to [responses, tokens] with
// `mask` true on real tokens and zeros elsewhere; entry t belongs to completion token t, EOS included.
// Log-probabilities are at the sampling temperature. Register with `takes({"prompts"}).needs({"reward-model",
// "reference", "values"})`, leaving out what is not used.
struct RolloutBatch {
  at::Tensor mask;                 // [responses, tokens] bool
  at::Tensor logps;                // policy at sampling time, recomputed with the training forward
  at::Tensor reference_logps;      // undefined without needs("reference")
  at::Tensor values;               // of the value head before each token; undefined unless needs("values")
  at::Tensor rewards;              // [responses] reward-model scores
  at::Tensor prompt;               // [responses] int64: responses of one prompt share a number
  at::Tensor advantages, returns;  // [responses, tokens]: what prepare wrote, sliced with the rest for each micro-batch
};
class OnlineOptimizer : public Optimizer {
 public:
  [[nodiscard]] Batch batch() const final { return Batch::rollouts; }
  // Once per batch of rollouts: fill advantages (and returns) and report metrics such as objective/kl.
  virtual std::map<std::string, double> prepare(RolloutBatch& batch) = 0;
  // Per micro-batch of the same rollouts: `logps` and `values` (undefined without needs("values")) are the current
  // policy's, with gradient. total_tokens counts real tokens of the whole mini-batch: divide by it.
  [[nodiscard]] virtual Loss loss(const RolloutBatch& batch, const at::Tensor& logps, const at::Tensor& values,
                                  std::int64_t total_tokens) = 0;
  // What prepare carries from batch to batch, such as an adaptive coefficient: kept in checkpoints and given back to a
  // fresh object of a resumed run.
  [[nodiscard]] virtual std::map<std::string, double> state() const { return {}; }
  virtual void restore(const std::map<std::string, double>& state) { static_cast<void>(state); }
};

}  // namespace v1
}  // namespace plumb
