// Rewards of responses by a reward model's folder. Prompt and response are written in the reward model's own chat
// format and tokenizer: a policy's ids mean nothing to it.
//
//   LanguageModel reward = open_language_model(folder, registry, host, {.reward_head = true}).value…;
//   std::vector<std::vector<double>> rewards = score_groups(reward, groups, {}, host);
//
// Every answer is read as a finished one: its text and EOS, also when sampling cut it off, and EOS alone when it is
// empty. Equal answers to one prompt are computed once. Rewards are raw head outputs. Thread contract: [lane] per
// model.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "framework/engine/modeling/language_model.h"
#include "plumb/records.h"

namespace plumb {

struct ScoringOptions {
  std::int64_t batch_tokens = 8192;  // of one forward pass, prompts counted once; a larger single group still goes
  bool share_prompt = true;          // false: each response with its own copy of the prompt
  // Of what is longer than the model's context the end is read, behind BOS where the format begins with one.
  bool truncate_left = false;
};

// [groups][responses] tokens by which prompt and response pass the reward model's context; 0: they fit.
std::vector<std::vector<std::int64_t>> score_excess(const LanguageModel& reward_model,
                                                    std::span<const ResponseGroup> groups, Host& host);

// Rewards of every response of every group, in order. Stops early, with empty lists for the groups that are left, when
// the host is cancelled. Error(data) naming the prompt when a response does not fit into the reward model's context
// and is not to be cut; for a model without reward head, tokenizer or chat format.
std::vector<std::vector<double>> score_groups(LanguageModel& reward_model, std::span<const ResponseGroup> groups,
                                              const ScoringOptions& options, Host& host);

}  // namespace plumb
