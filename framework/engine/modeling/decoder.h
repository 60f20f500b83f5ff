// Cached decoding: prompts are prefilled once, their k responses share the prompt's keys and values, finished rows are
// replaced by waiting ones.
//
//   Decoder decoder(model);
//   auto prompts = decoder.add_prompts(ids);                 // prefill, one pass for all of them
//   at::Tensor first = decoder.prompt_logits(prompts);       // [prompts, vocabulary] fp32
//   std::size_t row = decoder.add_row(prompts[0]);           // a response of that prompt
//   at::Tensor logits = decoder.next({&row, 1}, {&token, 1});   // [rows, vocabulary] fp32
//   decoder.drop_row(row);
//   decoder.drop_prompt(prompts[0]);
//
// Nothing is kept for a backward pass. Keys and values are held in the type of the weights.
//
// Thread contract: [lane].
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "framework/engine/modeling/language_model.h"

namespace plumb {

struct CacheRoom;  // kv_cache.h

class Decoder {
 public:
  explicit Decoder(LanguageModel& model);  // outlived by the model
  ~Decoder();

  // Takes the memory of keys and values at once; without it they grow by copying on devices other than the CPU.
  void reserve(const CacheRoom& room);
  // Prefills several prompts in one pass; slot numbers in order. Error(data) for an empty prompt, a token id that the
  // model has not, or a prompt longer than the context.
  std::vector<std::size_t> add_prompts(std::span<const std::vector<TokenId>> prompts);
  // Logits after the prompt's last token, [prompts, vocabulary] fp32: the first draw of each response uses them.
  at::Tensor prompt_logits(std::span<const std::size_t> prompts);
  std::size_t add_row(std::size_t prompt);
  // Feeds one token to each of the rows and returns the next logits [rows, vocabulary] fp32. Error(run_failed) when a
  // row passes the end of the model's context.
  at::Tensor next(std::span<const std::size_t> rows, std::span<const TokenId> tokens);
  [[nodiscard]] std::int64_t length(std::size_t row) const;  // tokens fed so far, the prompt's included
  void drop_row(std::size_t row);
  void drop_prompt(std::size_t prompt);  // once all its rows are dropped

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace plumb
