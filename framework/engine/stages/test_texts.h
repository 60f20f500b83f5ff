// A model that only renders texts, for tests of rows: a token a byte, in the chat format "plain".
//
//   LanguageModel model = model_with(/*context=*/1000);
//
// Thread contract: one thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "framework/engine/modeling/language_model.h"

namespace plumb::test {

// One id a byte; 1 is BOS, 2 EOS.
class Bytes final : public Tokenizer {
 public:
  [[nodiscard]] std::vector<TokenId> encode(std::string_view text, bool) const override {
    std::vector<TokenId> ids;
    for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
    return ids;
  }
  [[nodiscard]] std::vector<TokenId> encode_with_special(std::string_view text) const override {
    return encode(text, false);
  }
  [[nodiscard]] std::string decode(std::span<const TokenId>, bool) const override { return {}; }
  [[nodiscard]] std::string piece_bytes(TokenId) const override { return {}; }
  [[nodiscard]] std::optional<TokenId> find(std::string_view) const override { return std::nullopt; }
  [[nodiscard]] std::size_t vocabulary_size() const override { return 256; }
  [[nodiscard]] SpecialTokens special() const override { return {.bos = 1, .eos = 2}; }
  [[nodiscard]] std::vector<std::string> files() const override { return {}; }
};

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
  model.tokenizer = std::make_shared<Bytes>();
  model.chat_format = find_chat_format("plain");
  return model;
}

}  // namespace plumb::test
