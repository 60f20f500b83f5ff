// The rollout engine: k responses for each prompt with a shared prompt cache and refill of finished rows.
//
//   generate_responses(policy, prompts, sampling, {}, host, [&](std::size_t i, ResponseGroup&& g) { … });
//
// The result for a prompt does not depend on the other prompts, their order, or `rows` beyond rounding of the logits.
// Thread contract: [lane] per model; `done` is called from the calling thread.
#pragma once

#include <functional>
#include <span>

#include "framework/modeling/language_model.h"
#include "plumb/generator.h"

namespace plumb {

struct RolloutOptions {
  std::int64_t rows = 128;           // responses in flight
  bool share_prompt = true;          // false: prefill every response by itself (the plain reference path)
};

// A prompt that, rendered, leaves no room for max_new_tokens in the model's context is Error(data) naming its id.
void generate_responses(LanguageModel& policy, std::span<const Prompt> prompts, const Sampling& sampling,
                        const RolloutOptions& options, Host& host,
                        const std::function<void(std::size_t, ResponseGroup&&)>& done);

// The framework's LanguageModels service (plumb/language_models.h), for plugins.
class Registry;
std::unique_ptr<class LanguageModels> make_language_models(const Registry& registry, Host& host);

}  // namespace plumb
