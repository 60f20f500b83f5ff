// Chat formats: how a conversation becomes token ids, and which of them are learnt. The format is stored with a model
// (plumb.json), and a stage refuses another one.
//
//   const ChatFormat& format = *find_chat_format("llama-2");
//   RenderedPrompt prompt = format.render_prompt(tokenizer, messages);          // ends where the assistant begins
//   RenderedCompletion answer = format.render_completion(tokenizer, "Apple.");  // text ids, then EOS
//   RenderedConversation row = format.render(tokenizer, demonstration.messages);
//
// Prompt and response are tokenised separately and joined as ids. The format is the only owner of BOS and EOS: exactly
// one BOS at the start (per segment for llama-2, whose turns are segments of their own), EOS after each answer. Masks
// come from lengths, never from ids, so EOS is learnt also when pad = EOS. Formats: llama-2, hh, oasst, alpaca, plain.
// Thread contract: formats are constants; every method is [any].
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "framework/result.h"
#include "plumb/records.h"
#include "plumb/tokenizer.h"

namespace plumb {

struct RenderedConversation {
  std::vector<TokenId> ids;
  std::vector<std::uint8_t> learn;  // 1 on tokens of the assistant's turns and their EOS; same length as ids
};

class ChatFormat {
 public:
  virtual ~ChatFormat() = default;
  [[nodiscard]] virtual std::string name() const = 0;
  // `messages` end with a user's turn. Error(data) for an empty conversation or a role order the format cannot write.
  [[nodiscard]] virtual Result<std::vector<TokenId>> render_prompt(const Tokenizer&,
                                                                   const Conversation& messages) const = 0;
  // The answer's tokens and EOS. An empty answer is Error(data).
  [[nodiscard]] virtual Result<std::vector<TokenId>> render_completion(const Tokenizer&,
                                                                       const std::string& answer) const = 0;
  // A whole conversation: the concatenation of render_prompt and render_completion for every assistant turn.
  [[nodiscard]] virtual Result<RenderedConversation> render(const Tokenizer&, const Conversation& messages) const = 0;
  // The answer's text from sampled ids: without EOS, stripped as the format does.
  [[nodiscard]] virtual std::string parse_completion(const Tokenizer&, std::span<const TokenId> ids) const = 0;
};

// BOS where one is written: a tokenizer whose BOS is its EOS (GPT-NeoX) gets none, as in HF (add_bos_token is false
// there) and in Open-Assistant's models.
std::optional<TokenId> written_bos(const Tokenizer& tokenizer);

const ChatFormat* find_chat_format(const std::string& name);  // null when there is none
std::vector<std::string> chat_format_names();

}  // namespace plumb
