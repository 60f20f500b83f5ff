// Which tokens end an answer: one owner for whatever samples (generate, chat, sample, evaluate, PPO's rollouts,
// certify).
//
//   model.ends = read_end_tokens(folder, config, vocabulary);     // when a folder is opened
//   for (const TokenId id : end_tokens(model)) …                  // when it is sampled from
//
// As in transformers' generate: `eos_token_id` of generation_config.json (one id or a list), where that file is missing
// or has none that of config.json, and without either the tokenizer's EOS. Training ends answers with the tokenizer's
// EOS, so a folder saved here lists that one, too.
// Thread contract: pure but for reading the folder's file.
#pragma once

#include <filesystem>
#include <vector>

#include "plumb/records.h"
#include "plumb/tokenizer.h"
#include "plumb/value.h"

namespace plumb {

struct LanguageModel;

// Of a folder's generation_config.json or `config`, a config.json; empty when neither names one. Error(data) with the
// file for what is no id in [0, vocabulary). `config` may be null: an adapter's folder has none.
std::vector<TokenId> read_end_tokens(const std::filesystem::path& folder, const Value& config, std::int64_t vocabulary);

// Of a model: those its folder names, else its tokenizer's EOS, else none.
std::vector<TokenId> end_tokens(const LanguageModel& model);

// Whether the tokenizer's EOS is one of them, or there is none.
bool ends_with_eos(const LanguageModel& model);

// The generation_config.json of a model that is saved here: its folder's, or one of `config`'s ids, with the ends above
// and the tokenizer's EOS.
Value generation_config_of(const LanguageModel& model, const Value& config);

// generation_config.json of `folder`, or null when there is none.
Value read_generation_config(const std::filesystem::path& folder);

// Sets the ids of `special`; those it lacks become null.
void set_special_ids(Value& config, const SpecialTokens& special);

}  // namespace plumb
