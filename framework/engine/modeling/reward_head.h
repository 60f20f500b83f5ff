// A reward model's head: where it lies in a folder, and which hidden states of a sequence it reads. Hugging Face's
// …ForSequenceClassification and Open Assistant's …RewardModel differ in both, and config.json says which it is.
//
//   const RewardHead head = reward_head_of(model.config);    // "score", the last token that is not padding
//   std::int64_t at = read_position(head, prompt, answer);   // of prompt and answer, one after the other
//
// Thread contract: functions are [any], settle_padding is [setup].
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "plumb/records.h"
#include "plumb/value.h"

namespace plumb {

struct LanguageModel;

struct RewardHead {
  enum class Pooling { last, mean };
  std::string layer = "score";  // of [1, hidden]: its weight is the tensor "score.weight"
  bool bias = false;
  Pooling pooling = Pooling::last;  // of the hidden states: one token's, or the mean of all tokens'
  // Of `last`: the rightmost token that is another one is read (transformers, GenericForSequenceClassification).
  // Absent, as with config.json's pad_token_id null: the last token, whatever it is.
  std::optional<TokenId> padding;
};

// By config.json: model_type "…_reward_model" is Open Assistant's (`out_proj` with a bias, `pooling` last or mean, no
// padding in it: its mask counts tokens), anything else Hugging Face's. Throws Error(data) for another pooling.
RewardHead reward_head_of(const Value& config);

// Whether config.json is that of a reward model, by its architecture or its model_type.
bool is_reward_model(const Value& config);

// Whether a tensor of a folder, or a parameter of an open model, is the reward head's.
bool is_head(const std::string& tensor, const Value& config);
bool is_head(const std::string& parameter, const LanguageModel& model);

// The token that `last` reads, counted from the prompt's first: 0 when all of them are padding, as transformers has it.
std::int64_t read_position(const RewardHead& head, std::span<const TokenId> prompt, std::span<const TokenId> answer);

// For a head that is trained here: pad_token_id becomes a token that ends no row, so that transformers, TRL and this
// program all read the EOS of an answer. Kept when it is no end token; else the tokenizer's padding, a token that is
// spelt like one, the unknown token or BOS, whichever comes first that is no end token; else null. Says whether one that
// was given changed.
bool settle_padding(LanguageModel& model);

}  // namespace plumb
