// Cached decoding: prompts are prefilled once, their k responses share the prompt's keys and values, finished rows are
// replaced by waiting ones.
//
//   Decoder decoder(model, {.rows = 64});
//   std::size_t p = decoder.add_prompt(prompt_ids);         // prefill; returns a slot
//   std::size_t r = decoder.add_row(p);                     // a response of that prompt
//   at::Tensor logits = decoder.next(rows, last_tokens);    // [rows, vocabulary] fp32
//   decoder.drop_row(r); decoder.drop_prompt(p);
//
// Thread contract: [lane].
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "framework/modeling/language_model.h"

namespace plumb {

class Decoder {
 public:
  struct Limits {
    std::int64_t max_new_tokens = 512;
  };
  Decoder(LanguageModel& model, const Limits& limits);
  ~Decoder();

  // Prefills several prompts in one pass; slot numbers in order.
  std::vector<std::size_t> add_prompts(std::span<const std::vector<TokenId>> prompts);
  // Logits after the prompt's last token, [prompts, vocabulary] fp32: the first draw of each response uses them.
  at::Tensor prompt_logits(std::span<const std::size_t> prompts);
  std::size_t add_row(std::size_t prompt);
  // Feeds one token to each of the rows and returns the next logits [rows, vocabulary] fp32.
  at::Tensor next(std::span<const std::size_t> rows, std::span<const TokenId> tokens);
  void drop_row(std::size_t row);
  void drop_prompt(std::size_t prompt);  // once all its rows are dropped

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace plumb
