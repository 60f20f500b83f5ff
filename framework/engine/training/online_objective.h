// Online learning: batches of the policy's own answers, scored, and the loss of an OnlineOptimizer on them.
//
//   OnlineObjective objective({policy, &policy, ppo}, prompts, settings, score, context);
//   train({.tensors = …, .train = &objective, .order = shuffled(objective.size()), .updates_per_step = …}, …);
//
// A step is one batch of answers: sampled with the weights as they are, scored, its log-probabilities and values
// computed again with the training forward, then visited inner_epochs times in mini_batches updates each. Prompts come
// in seeded epochs; a batch may run over the end of one. Everything is a function of (seed, step) and the weights, and
// a batch in progress is part of the checkpoint, so that a run goes on bit by bit from any update.
//
// On several ranks prompts are answered side by side, rank 0 scores, and the passes over the answers go round. Draws are
// those of one process; logits are to rounding, so that one token in many thousands of answers may be another.
// Thread contract: [lane]; all ranks together.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "framework/core/catalogue/settings.h"
#include "framework/engine/modeling/grouped_forward.h"
#include "framework/engine/training/objective.h"
#include "framework/engine/training/token_objective.h"
#include "framework/engine/training/update_rule.h"
#include "plumb/generator.h"
#include "plumb/host.h"
#include "plumb/tensor/optimizer.h"

namespace plumb {

struct PromptRow {
  Prompt prompt;
  std::vector<TokenId> ids;  // as the policy's chat format renders it
};

// A linear map from hidden states to values, float32 and zero at the start.
struct ValueHead {
  at::Tensor weight, bias;  // [1, hidden], [1]
  explicit ValueHead(const LanguageModel& trunk);
  // hidden [tokens, hidden] -> [tokens]
  [[nodiscard]] at::Tensor operator()(const at::Tensor& hidden) const;
  [[nodiscard]] std::vector<TrainedTensor> tensors() const;
};

// Rewards of every answer of every group, in order.
struct ScoredAnswers {
  // NOLINTNEXTLINE(google-explicit-constructor): rewards alone are enough
  ScoredAnswers(std::vector<std::vector<double>> of, std::int64_t cut_answers = 0)
      : rewards(std::move(of)), cut(cut_answers) {}
  std::vector<std::vector<double>> rewards;
  std::int64_t cut = 0;  // answers of which the reward model read but the end
};
using ScoreAnswers = std::function<ScoredAnswers(std::span<const ResponseGroup>)>;

struct OnlinePlayers {
  LanguageModel& policy;
  LanguageModel* reference;  // null: none; the policy itself: the policy with its adapter off
  Made<OnlineOptimizer> optimizer;
  bool values = false;                   // the optimizer asked for a value head
  LanguageModel* value_model = nullptr;  // what the head sits on; null: the policy
};

class OnlineObjective final : public Objective {
 public:
  // `batch_size` answers a step. Throws Error(data) when there is no prompt.
  OnlineObjective(const OnlinePlayers& players, std::vector<PromptRow> prompts, const RolloutParams& settings,
                  std::int64_t batch_size, ScoreAnswers score, Host& host, Random random);

  [[nodiscard]] std::int64_t updates_per_step() const { return settings_.inner_epochs * settings_.mini_batches; }
  [[nodiscard]] std::int64_t prompts_per_step() const { return prompts_per_step_; }
  [[nodiscard]] std::vector<TrainedTensor> value_tensors() const;

  // One answer to each prompt with the weights as they are; draws are the same every time. Means under
  // objective/scores, objective/scores_standard_error, objective/kl (with a reference) and rollouts/length.
  [[nodiscard]] std::map<std::string, double> measure(std::span<const PromptRow> held_out);

  [[nodiscard]] std::size_t size() const override { return static_cast<std::size_t>(batch_size_); }
  [[nodiscard]] std::string describe(std::size_t example) const override;
  [[nodiscard]] BatchTotals totals(std::span<const std::size_t> batch) const override;
  void starting(std::int64_t update) override;
  [[nodiscard]] std::map<std::string, double> batch_metrics() const override { return metrics_; }
  void arrange(std::vector<std::size_t>& batch) const override;
  [[nodiscard]] MicroLoss micro_loss(std::span<const std::size_t> micro, const BatchTotals& totals) override;
  [[nodiscard]] Value save(NamedTensors& tensors) const override;
  void restore(const Value& state, const std::map<std::string, at::Tensor>& tensors) override;

  // The batch in progress, for tests.
  [[nodiscard]] const RolloutBatch& rollouts() const { return batch_; }
  [[nodiscard]] const std::vector<SequenceGroup>& groups() const { return groups_; }

 private:
  struct Answers {
    std::vector<ResponseGroup> groups;
    std::vector<float> rewards;  // of every answer, groups in order
    std::int64_t cut = 0;        // as ScoredAnswers has it
  };
  struct States {
    at::Tensor logps, reference_logps, values;  // [completion tokens]
  };
  [[nodiscard]] std::vector<std::size_t> prompts_of(std::int64_t step) const;
  [[nodiscard]] std::vector<ResponseGroup> generate(const std::vector<Prompt>& prompts, const Sampling& sampling);
  [[nodiscard]] ScoredAnswers score(const std::vector<ResponseGroup>& groups);
  [[nodiscard]] Answers answer(std::vector<Prompt> prompts, std::int64_t responses, std::uint64_t seed);
  [[nodiscard]] at::Tensor values_of(std::span<const SequenceGroup> groups, const at::Tensor& policy_hidden) const;
  [[nodiscard]] States states_of_pass(std::span<const SequenceGroup> pass);
  [[nodiscard]] States states_of(std::span<const SequenceGroup> groups);
  void collect(std::int64_t step);
  void place_rollouts();

  OnlinePlayers players_;
  std::vector<PromptRow> prompts_;
  RolloutParams settings_;
  std::int64_t batch_size_, prompts_per_step_;
  ScoreAnswers score_;
  Host& host_;
  Random random_;
  std::optional<ValueHead> value_head_;

  std::int64_t step_ = -1;  // of the batch in progress
  std::vector<SequenceGroup> groups_;
  std::vector<std::string> names_;                          // prompt id of each group
  std::vector<std::pair<std::size_t, std::size_t>> place_;  // (group, completion) of each rollout
  std::vector<std::int64_t> lengths_;                       // of each rollout
  RolloutBatch batch_;
  std::map<std::string, double> metrics_;
};

}  // namespace plumb
