// The `model` of a tokenizer.json: how the characters of a word become pieces. BPE and WordLevel.
// Thread contract: const methods are [any].
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "plumb/json_fields.h"
#include "plumb/records.h"

namespace plumb::tokenizers {

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
using Vocabulary = std::unordered_map<std::string, TokenId, TextHash, std::equal_to<>>;

class WordModel {
 public:
  virtual ~WordModel() = default;
  // Appends the ids of one word, spelt as the vocabulary spells it.
  virtual void encode(std::string_view word, std::vector<TokenId>& out) const = 0;

  [[nodiscard]] const Vocabulary& vocabulary() const { return vocabulary_; }
  [[nodiscard]] std::optional<TokenId> unknown() const { return unknown_; }

 protected:
  Vocabulary vocabulary_;
  std::optional<TokenId> unknown_;
};

// Error(data) for an unknown type, a merge of pieces that are not in the vocabulary, ids out of range or given twice.
std::unique_ptr<WordModel> parse_model(const JsonFields& json, const Value& model);

// Ids of words met before, shared by all threads. It stops growing at a bound instead of throwing words out: frequent
// words come early.
class WordCache {
 public:
  bool find(std::string_view word, std::vector<TokenId>& out) const;  // appends
  void remember(std::string_view word, const TokenId* begin, const TokenId* end) const;

 private:
  static constexpr std::size_t kShards = 16;
  static constexpr std::size_t kWordsPerShard = 8192;
  static constexpr std::size_t kLongestWord = 64;
  struct Shard {
    std::shared_mutex lock;
    std::unordered_map<std::string, std::vector<TokenId>, TextHash, std::equal_to<>> words;
  };
  mutable std::array<Shard, kShards> shards_;
};

}  // namespace plumb::tokenizers
