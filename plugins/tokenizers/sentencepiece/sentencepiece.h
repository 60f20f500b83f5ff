// The tokenizer of a SentencePiece tokenizer.model: BPE (Llama) and unigram models.
// Thread contract: as Tokenizer's.
#pragma once

#include <array>
#include <unordered_map>

#include "../added_tokens.h"
#include "../special_tokens.h"
#include "normalizer.h"
#include "plumb/tokenizer.h"
#include "segmenter.h"

namespace plumb::tokenizers {

class SentencePiece final : public Tokenizer {
 public:
  struct Settings {
    std::string path;
  };
  static Params<Settings> params();
  SentencePiece(const Settings& settings, Host& host);

  std::vector<TokenId> encode(std::string_view text, bool continues) const override;
  std::vector<TokenId> encode_with_special(std::string_view text) const override;
  std::string decode(std::span<const TokenId> ids, bool keep_special) const override;
  std::string piece_bytes(TokenId id) const override;
  std::optional<TokenId> find(std::string_view piece) const override;
  std::size_t vocabulary_size() const override { return model_.pieces.size() + after_model_.size(); }
  SpecialTokens special() const override { return special_; }
  std::vector<std::string> files() const override;

 private:
  void index_pieces();
  void read_added(const DeclaredTokens& declared, const std::string& file);
  SpecialTokens read_special(const DeclaredTokens& declared) const;
  std::vector<TokenId> encode_text(std::string_view text, bool continues, bool special) const;
  void append_raw(std::string_view text, bool begins, bool continues, bool special, std::vector<TokenId>& out) const;
  void append_segments(std::string_view normal, std::vector<TokenId>& out) const;
  bool is_model_piece(TokenId id) const { return id >= 0 && static_cast<std::size_t>(id) < model_.pieces.size(); }

  std::string folder_, file_;
  ModelFile model_;
  std::vector<std::string> after_model_;  // added tokens' spellings, for the ids after the model's
  AddedTokens added_;                     // those, and the model's own control and unknown pieces
  bool legacy_ = true;  // each stretch between added tokens gets the dummy prefix; else the first alone
  bool prefix_ = true;  // there is a dummy prefix
  std::unordered_map<std::string, TokenId> ids_;
  PrefixIndex user_defined_;
  std::array<TokenId, 256> bytes_{};
  std::unique_ptr<SpmNormalizer> normalizer_;
  std::unique_ptr<Segmenter> segmenter_;
  SpecialTokens special_;
};

}  // namespace plumb::tokenizers
