// The tokenizer of a tokenizer.json: byte-level BPE (GPT-2, GPT-NeoX, Llama 3), BPE with byte fallback (Llama 2),
// words. Thread contract: as Tokenizer's.
#pragma once

#include "plumb/tokenizer.h"
#include "tokenizer_json.h"

namespace plumb::tokenizers {

class ByteBpe final : public Tokenizer {
 public:
  struct Settings {
    std::string path;
  };
  static Params<Settings> params();
  ByteBpe(const Settings& settings, Host& host);

  std::vector<TokenId> encode(std::string_view text, bool continues) const override;
  std::vector<TokenId> encode_with_special(std::string_view text) const override;
  std::string decode(std::span<const TokenId> ids, bool keep_special) const override;
  std::string piece_bytes(TokenId id) const override;
  std::optional<TokenId> find(std::string_view piece) const override;
  std::size_t vocabulary_size() const override { return pieces_.size(); }
  SpecialTokens special() const override { return special_; }
  std::vector<std::string> files() const override;

 private:
  void name_pieces();
  void find_added();
  std::vector<TokenId> encode_valid(std::string_view text, bool continues, bool special) const;
  std::vector<TokenId> encode_text(std::string_view text, bool continues, bool special) const;
  void encode_plain(std::string_view text, WordPlace place, std::vector<TokenId>& out) const;
  // False for ids of a model whose embedding has more rows than there are pieces: they stand for no text, as in HF.
  bool known(TokenId id) const { return id >= 0 && static_cast<std::size_t>(id) < pieces_.size(); }

  std::string folder_, file_;
  TokenizerJson json_;
  AddedTokens added_;
  Vocabulary added_ids_;
  std::vector<std::string> pieces_;  // by id
  SpecialTokens special_;
  WordCache cache_;
};

}  // namespace plumb::tokenizers
