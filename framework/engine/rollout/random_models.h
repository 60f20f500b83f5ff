// Small models with random weights for tests, and a tokenizer of one token a character.
//
//   testing::FakeHost host;
//   LanguageModel policy = random_policy(host);      // llama, vocabulary of letters, chat format plain
//
// Thread contract: one thread.
#pragma once

#include <string>
#include <vector>

#include "framework/core/data/chat_format.h"
#include "framework/core/registry/registry.h"
#include "framework/engine/modeling/language_model.h"
#include "plumb/testing.h"

namespace plumb::test {

// Ids 0 BOS, 1 EOS, then one for each printable ASCII character from the line feed and the space on.
class Characters final : public Tokenizer {
 public:
  [[nodiscard]] std::vector<TokenId> encode(std::string_view text, bool) const override {
    std::vector<TokenId> out;
    for (const char c : text) out.push_back(c == '\n' ? 2 : 3 + (c - ' '));
    return out;
  }
  [[nodiscard]] std::vector<TokenId> encode_with_special(std::string_view text) const override {
    return encode(text, false);
  }
  [[nodiscard]] std::string decode(std::span<const TokenId> ids, bool) const override {
    std::string out;
    for (const TokenId id : ids) out += piece_bytes(id);
    return out;
  }
  [[nodiscard]] std::string piece_bytes(TokenId id) const override {
    if (id < 2) return {};
    return std::string(1, id == 2 ? '\n' : static_cast<char>(' ' + id - 3));
  }
  [[nodiscard]] std::optional<TokenId> find(std::string_view) const override { return std::nullopt; }
  [[nodiscard]] std::size_t vocabulary_size() const override { return 3 + '~' - ' ' + 1; }
  [[nodiscard]] SpecialTokens special() const override { return {0, 1, std::nullopt, std::nullopt}; }
  [[nodiscard]] std::vector<std::string> files() const override { return {}; }
};

inline const Registry& plugins() {
  static const Registry built = Registry::scan(PluginSearch::standard());
  return built;
}

// Weights large enough that what is drawn depends on the context; a head with more rows than the tokenizer has tokens.
inline LanguageModel random_policy(Host& host, std::uint64_t seed = 4) {
  const Value config = Value::map({{"hidden_size", 32},
                                   {"intermediate_size", 48},
                                   {"num_hidden_layers", 2},
                                   {"num_attention_heads", 4},
                                   {"num_key_value_heads", 2},
                                   {"vocab_size", 104},
                                   {"max_position_embeddings", 96},
                                   {"initializer_range", 0.2}});
  LanguageModel model = new_language_model("llama2", config, plugins(), host, Random(seed), {});
  model.tokenizer = std::make_shared<Characters>();
  model.chat_format = find_chat_format("plain");
  return model;
}

}  // namespace plumb::test
