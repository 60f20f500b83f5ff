// One answer at a time, its text handed out as it comes: what `plumb generate` and `plumb chat` run on. Lives in the
// engine library; this header needs no LibTorch.
//
//   auto model = Engine::open().answerer({.folder = "runs/quickstart/aligned"}, registry, host);
//   const auto prompt = model->prompt_of({{"user", "give three fruits, please."}});
//   model->answer(prompt, {.temperature = 0}, [](std::string_view more) { std::cout << more << std::flush; });
//
// Folders are model folders, PEFT adapters (folded into their base), and artifacts of either.
// Thread contract: opening is [setup]; an answerer is [lane]. Registry and host outlive it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "plumb/generator.h"
#include "plumb/placement.h"
#include "plumb/records.h"

namespace plumb {

class Registry;

struct OpenAnswerer {
  std::string folder;
  std::string chat_format;  // for a folder that names none; Error(recipe) when it names another
  Placement placement;
};

// What to answer, as the model reads it.
struct RenderedPrompt {
  std::vector<TokenId> ids;
  bool chat = false;   // written by the chat format: the answer's text has no white space at its ends
  bool blank = false;  // BOS alone: the text begins here, without the space that some tokenizers put before a word
};

struct Answer {
  std::string text;
  std::vector<TokenId> ids;  // the token that ended it included when finish is stop
  FinishReason finish = FinishReason::length;
  bool interrupted = false;  // the host was cancelled before the end
};

class Answerer {
 public:
  virtual ~Answerer() = default;

  [[nodiscard]] virtual std::string chat_format() const = 0;  // empty when the folder names none
  [[nodiscard]] virtual std::int64_t context() const = 0;     // prompt and answer together, in tokens

  // The conversation in the model's chat format, ending where the assistant begins. Error(recipe) when there is none,
  // or when it cannot write the conversation (a system message where it has no place for one).
  [[nodiscard]] virtual RenderedPrompt prompt_of(const Conversation& messages) const = 0;
  // Plain text to go on from: BOS where the tokenizer's models want one, then the text, in which the spelling of a
  // special token is that token, as in Hugging Face's tokenizers. Empty text: BOS alone.
  [[nodiscard]] virtual RenderedPrompt prompt_of(const std::string& text) const = 0;

  // At most sampling.max_new_tokens tokens and no more than the context has room for. The draw of a token is a function
  // of (sampling.seed, position). Error(recipe) when the prompt leaves no room for an answer.
  virtual Answer answer(const RenderedPrompt& prompt, const Sampling& sampling,
                        const std::function<void(std::string_view more)>& text) = 0;
};

}  // namespace plumb

// For the core, which opens the engine at run time (door/engine.h) and owns the result. Throws what opening a model
// throws.
extern "C" plumb::Answerer* plumb_engine_open_answerer(const plumb::OpenAnswerer& how, const plumb::Registry& registry,
                                                       plumb::Host& host);
