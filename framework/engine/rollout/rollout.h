// The rollout engine: k responses for each prompt with a shared prompt cache and refill of finished rows.
//
//   generate_responses(policy, prompts, sampling, {}, host, [&](std::size_t i, ResponseGroup&& g) { … });
//
// The result for a prompt does not depend on the other prompts, their order, or `rows` beyond rounding of the logits.
// Same call, same machine: the same bits; on a GPU only where its free memory holds as many rows.
// Thread contract: [lane] per model; `done` is called from the calling thread.
#pragma once

#include <algorithm>
#include <functional>
#include <span>

#include "framework/engine/modeling/language_model.h"
#include "plumb/generator.h"
#include "plumb/language_models.h"

namespace plumb {

struct RolloutOptions {
  std::int64_t rows = 128;   // responses in flight
  bool share_prompt = true;  // false: prefill every response by itself (the plain reference path)
};

// Renders the prompts in the policy's chat format, samples, and gives back texts in the same format. A response that
// the policy ends at once has the end token as its only id, and empty text where that token is a special one. Stops early, with some prompts undone, when the
// host is cancelled. Error(data) when a prompt leaves no room for max_new_tokens in the model's context (it names the
// prompt), and for a policy without tokenizer or chat format. Every prompt is checked before the first token is drawn.
void generate_responses(LanguageModel& policy, std::span<const Prompt> prompts, const Sampling& sampling,
                        const RolloutOptions& options, Host& host,
                        const std::function<void(std::size_t, ResponseGroup&&)>& done);

// The same below the level of text: token ids in and out.
struct TokenPrompt {
  std::string id;  // keys the draws
  std::vector<TokenId> ids;
};
struct SampledTokens {
  std::vector<TokenId> ids;  // the token that ended it included when finish is stop
  FinishReason finish = FinishReason::stop;
};
struct TokenLimits {
  std::vector<TokenId> ends;    // any of them stops a response; none: only the length does
  std::int64_t vocabulary = 0;  // ids from here on are never drawn (rows of a padded LM head); 0: the model's

  // How many ids may be drawn of those that the model knows.
  [[nodiscard]] std::int64_t drawn(std::int64_t known) const {
    return vocabulary > 0 ? std::min(vocabulary, known) : known;
  }
};
void sample_tokens(LanguageModel& policy, std::span<const TokenPrompt> prompts, const Sampling& sampling,
                   const TokenLimits& limits, const RolloutOptions& options, Host& host,
                   const std::function<void(std::size_t, std::vector<SampledTokens>&&)>& done);

// Error(data) for a model without tokenizer or chat format.
void require_texts(const LanguageModel& policy);

// Error(data), which names the prompt, for a conversation that the format cannot write.
std::vector<TokenId> render_prompt(const ChatFormat& format, const Tokenizer& tokenizer, const Prompt& prompt);

// What a model's own files say: the tokens that end an answer (modeling/end_tokens.h), and the tokenizer's
// vocabulary, if there is a tokenizer.
TokenLimits token_limits(const LanguageModel& model);

// The framework's LanguageModels service (plumb/language_models.h), for plugins.
class Registry;
std::unique_ptr<LanguageModels> make_language_models(const Registry& registry, Host& host);

}  // namespace plumb
