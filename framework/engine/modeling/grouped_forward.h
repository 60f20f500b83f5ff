// Forward passes over prompts with their unique responses: no padding in the layers, the prompt computed once for its
// responses, the LM head on completion positions only.
//
//   auto logps = completion_logps(policy, groups, {});   // differentiable
//   at::Tensor sums = logps.sums();                      // [responses] Σ log π(y|x), EOS included, fp32
//
// Equal to separate full sequences up to rounding; the tests hold that, and the gradient.
// Thread contract: [lane] per model.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "framework/engine/modeling/language_model.h"
#include "plumb/records.h"
#include "plumb/tensor/torch.h"

namespace plumb {

struct SequenceGroup {
  std::vector<TokenId> prompt;
  std::vector<std::vector<TokenId>> completions;  // each non-empty, EOS included when it was reached
};

struct ForwardOptions {
  bool share_prompt = true;        // false: one row per response (the plain reference path)
  std::int64_t head_chunk = 1024;  // completion tokens per LM-head chunk; bounds [chunk, vocabulary] logits
  double temperature = 1.0;        // divides the logits before log-softmax (PPO)
};

struct CompletionLogps {
  at::Tensor tokens;                      // [completion tokens] fp32, responses in order
  std::vector<std::int64_t> lengths;      // of each response
  at::Tensor response;                    // [completion tokens] int64: the response of each
  [[nodiscard]] at::Tensor sums() const;  // [responses]
  [[nodiscard]] std::vector<at::Tensor> per_response() const;
};

CompletionLogps completion_logps(LanguageModel& model, std::span<const SequenceGroup> groups,
                                 const ForwardOptions& options);

// Hidden states at completion positions and the token before each: [completion tokens, hidden] of the position that
// predicts each completion token (value heads), plus log-probs in one pass.
struct CompletionStates {
  CompletionLogps logps;
  at::Tensor hidden;
};
CompletionStates completion_states(LanguageModel& model, std::span<const SequenceGroup> groups,
                                   const ForwardOptions& options);

// The hidden states alone.
at::Tensor completion_hidden(LanguageModel& model, std::span<const SequenceGroup> groups,
                             const ForwardOptions& options);

// The reward head on what it reads of each response (reward_head.h): [responses] fp32, differentiable. Head, product and
// sum are float32 whatever the type of the layers.
at::Tensor completion_rewards(LanguageModel& reward_model, std::span<const SequenceGroup> groups,
                              const ForwardOptions& options);

// Whole sequences with a mask of learnt tokens (SFT, multi-turn): log-probs of the learnt tokens, sequences in order.
struct MaskedSequence {
  std::vector<TokenId> ids;
  std::vector<std::uint8_t> learn;  // learn[t]: predict ids[t] from what precedes it; learn[0] is ignored
};
CompletionLogps masked_logps(LanguageModel& model, std::span<const MaskedSequence> rows, const ForwardOptions& options);

// Full logits of plain sequences [tokens, vocabulary]: parity tests and `certify`.
at::Tensor full_logits(LanguageModel& model, std::span<const std::vector<TokenId>> rows);

}  // namespace plumb
