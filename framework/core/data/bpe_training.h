// Training of a byte-level BPE vocabulary, and its files in Hugging Face's format.
//
//   BpeTrainer trainer;
//   for (const Demonstration& row : rows) for (const Message& m : row.messages) trainer.add(m.content);
//   BpeVocabulary vocabulary = trainer.train(512).value();
//   write_tokenizer(vocabulary, folder).value();   // tokenizer.json, tokenizer_config.json, special_tokens_map.json
//
// The merges are those of HF's BpeTrainer (tokenizers 0.23, models/bpe/trainer.rs) with initial_alphabet =
// ByteLevel.alphabet() and min_frequency 2: the most frequent pair first, of equally frequent ones the pair with the
// smaller ids. All 256 bytes are in the vocabulary, so every text can be written.
// Thread contract: a trainer is [lane]; a finished vocabulary is a constant.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "framework/result.h"
#include "plumb/records.h"

namespace plumb {

struct BpeVocabulary {
  std::vector<std::string> special;                 // ids 0, 1, 2: bos, eos, pad
  std::vector<std::string> pieces;                  // by id, special tokens first; spelt in byte-level BPE's alphabet
  std::vector<std::pair<TokenId, TokenId>> merges;  // in order of rank
};

class BpeTrainer {
 public:
  // Counts the words of a text (GPT-2's pattern; plumb/byte_level.h).
  void add(std::string_view text);

  // A vocabulary of at most `size` pieces: fewer when no pair is left that occurs twice. Error(recipe) when `size` has
  // no room for the special tokens and the 256 bytes, Error(data) when no text was added.
  [[nodiscard]] Result<BpeVocabulary> train(std::size_t size) const;

  [[nodiscard]] std::int64_t words() const { return words_; }
  [[nodiscard]] std::size_t distinct_words() const { return counts_.size(); }

 private:
  std::map<std::string, std::int64_t, std::less<>> counts_;
  std::int64_t words_ = 0;
};

// Writes the tokenizer's files into an existing folder. transformers puts BOS before a text (as for Llama); ids agree
// with add_special_tokens=False.
Result<void> write_tokenizer(const BpeVocabulary& vocabulary, const std::filesystem::path& folder);

}  // namespace plumb
