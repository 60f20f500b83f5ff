// A model that only renders texts, for tests of rows: a token a byte (1 is BOS, 2 EOS), in the chat format "plain".
//
//   LanguageModel model = model_with(/*context=*/1000);
//
// Thread contract: one thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "framework/engine/modeling/language_model.h"
#include "plumb/testing.h"

namespace plumb::test {

class ShapeOnly final : public Model {
 public:
  explicit ShapeOnly(std::int64_t context) : context_(context) {}
  [[nodiscard]] ModelShape shape() const override { return {.context = context_}; }
  [[nodiscard]] at::Tensor hidden(const TokenBatch&) override { return {}; }
  [[nodiscard]] at::Tensor logits(const at::Tensor&) override { return {}; }
  [[nodiscard]] std::vector<std::string> default_lora_targets() const override { return {}; }
  [[nodiscard]] std::string architecture(bool) const override { return {}; }

 private:
  std::int64_t context_;
};

inline LanguageModel model_with(std::int64_t context) {
  LanguageModel model;
  model.model = {std::make_shared<ShapeOnly>(context), "model shape-only", ""};
  model.tokenizer = std::make_shared<testing::ByteTokenizer>(0);
  model.chat_format = find_chat_format("plain");
  return model;
}

}  // namespace plumb::test
