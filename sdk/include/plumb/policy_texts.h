// A policy's prompts and answers as token ids, for a component that has the policy sampled elsewhere: the same rendering
// and the same ends as where it is sampled here, without its weights.
//
//   auto* texts = static_cast<plumb::PolicyTexts*>(host.query(plumb::PolicyTexts::service));
//   const auto handle = texts->open_texts("runs/demo/sft");
//   const std::vector<plumb::TokenId> ids = handle->prompt_ids(prompt);       // with BOS, ends where the answer begins
//   response.text = handle->answer_text(response.ids);                        // never a text that a server made of them
//
// Thread contract: open_texts may be called from any thread; every method of what it returns is [any].
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "plumb/records.h"

namespace plumb {
inline namespace v1 {

class TextsHandle {
 public:
  virtual ~TextsHandle();
  // In the chat format of the model's folder. Error(data), which names the prompt, for a conversation that the format
  // cannot write, and where the folder has no tokenizer or no chat format.
  [[nodiscard]] virtual std::vector<TokenId> prompt_ids(const Prompt& prompt) const = 0;
  // Without the token that ended it, stripped as the format does.
  [[nodiscard]] virtual std::string answer_text(std::span<const TokenId> ids) const = 0;
  [[nodiscard]] virtual std::vector<TokenId> ends() const = 0;  // any of them ends an answer
  // An answer's ids are from 0 to this, without it.
  [[nodiscard]] virtual std::int64_t vocabulary() const = 0;
  // Tokens that prompt and answer may have together.
  [[nodiscard]] virtual std::int64_t context() const = 0;
};

class PolicyTexts {
 public:
  static constexpr const char* service = "policy-texts/1";
  virtual ~PolicyTexts();
  // Reads the headers of the folder's weights, no weight.
  virtual std::unique_ptr<TextsHandle> open_texts(const std::string& folder) = 0;
};

}  // namespace v1
}  // namespace plumb
