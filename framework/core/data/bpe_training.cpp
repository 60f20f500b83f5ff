#include "framework/core/data/bpe_training.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <queue>
#include <unordered_map>

#include "framework/core/artifacts/records_file.h"
#include "plumb/byte_level.h"
#include "plumb/utf8.h"

namespace plumb {
namespace {

constexpr std::int64_t kMinimumCount = 2;  // merging what occurs once would learn the words by heart
const char* const kSpecial[] = {"<s>", "</s>", "<pad>"};

// Two neighbours; the order of the keys is the order of (left, right).
using PairKey = std::uint64_t;
PairKey pair_key(TokenId left, TokenId right) {
  return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
}
TokenId left_of(PairKey key) {
  return static_cast<TokenId>(key >> 32);
}
TokenId right_of(PairKey key) {
  return static_cast<TokenId>(key & 0xFFFFFFFFu);
}

struct Word {
  std::vector<TokenId> ids;
  std::int64_t count;
};

// The counts of all pairs, kept up to date merge by merge: only the words that hold the merged pair are looked at.
class PairCounts {
 public:
  explicit PairCounts(std::vector<Word> words) : words_(std::move(words)) {
    for (std::uint32_t i = 0; i < words_.size(); ++i) {
      const std::vector<TokenId>& ids = words_[i].ids;
      for (std::size_t j = 0; j + 1 < ids.size(); ++j) change(pair_key(ids[j], ids[j + 1]), words_[i].count, i);
    }
    for (const auto& [key, place] : pairs_) queue_.push({place.count, key});
  }

  // The most frequent pair, or a count below the minimum when none is left.
  std::pair<PairKey, std::int64_t> best() {
    while (!queue_.empty()) {
      const Candidate top = queue_.top();
      queue_.pop();
      const std::int64_t now = pairs_[top.key].count;
      if (now == top.count) return {top.key, now};
      if (now >= kMinimumCount) queue_.push({now, top.key});
    }
    return {0, 0};
  }

  void merge(PairKey key, TokenId merged) {
    std::vector<std::uint32_t> where = std::move(pairs_[key].words);
    std::sort(where.begin(), where.end());
    where.erase(std::unique(where.begin(), where.end()), where.end());
    touched_.clear();
    for (const std::uint32_t i : where) merge_word(i, key, merged);
    pairs_[key].count = 0;
    for (const PairKey grown : touched_) {
      if (const std::int64_t count = pairs_[grown].count; count >= kMinimumCount) queue_.push({count, grown});
    }
  }

 private:
  struct Place {
    std::int64_t count = 0;
    std::vector<std::uint32_t> words;  // that hold or held it
  };
  struct Candidate {
    std::int64_t count;
    PairKey key;
    bool operator<(const Candidate& other) const {
      return count != other.count ? count < other.count : key > other.key;
    }
  };

  void change(PairKey key, std::int64_t by, std::uint32_t word) {
    Place& place = pairs_[key];
    place.count += by;
    if (by > 0 && (place.words.empty() || place.words.back() != word)) place.words.push_back(word);
  }

  void merge_word(std::uint32_t index, PairKey key, TokenId merged) {
    Word& word = words_[index];
    std::vector<TokenId>& ids = word.ids;
    const TokenId left = left_of(key), right = right_of(key);
    std::size_t out = 0;
    for (std::size_t i = 0; i < ids.size(); ++i, ++out) {
      if (ids[i] != left || i + 1 >= ids.size() || ids[i + 1] != right) {
        ids[out] = ids[i];
        continue;
      }
      if (out > 0) {
        change(pair_key(ids[out - 1], left), -word.count, index);
        grow(pair_key(ids[out - 1], merged), word.count, index);
      }
      if (i + 2 < ids.size()) {
        change(pair_key(right, ids[i + 2]), -word.count, index);
        grow(pair_key(merged, ids[i + 2]), word.count, index);
      }
      ids[out] = merged;
      ++i;
    }
    ids.resize(out);
  }

  void grow(PairKey key, std::int64_t by, std::uint32_t word) {
    change(key, by, word);
    if (touched_.empty() || touched_.back() != key) touched_.push_back(key);
  }

  std::vector<Word> words_;
  std::unordered_map<PairKey, Place> pairs_;
  std::priority_queue<Candidate> queue_;
  std::vector<PairKey> touched_;
};

// Special tokens, then the 256 byte letters in the order of their code points.
std::array<TokenId, 256> add_alphabet(BpeVocabulary& vocabulary) {
  std::vector<std::pair<char32_t, unsigned char>> letters;
  for (int b = 0; b < 256; ++b) {
    const auto byte = static_cast<unsigned char>(b);
    letters.emplace_back(byte_letter(byte), byte);
  }
  std::sort(letters.begin(), letters.end());
  std::array<TokenId, 256> id_of{};
  for (const auto& [letter, byte] : letters) {
    id_of[byte] = static_cast<TokenId>(vocabulary.pieces.size());
    append_utf8(vocabulary.pieces.emplace_back(), letter);
  }
  return id_of;
}

}  // namespace

void BpeTrainer::add(std::string_view text) {
  for_each_word(text, [this](std::string_view word) {
    ++words_;
    const auto found = counts_.find(word);
    if (found == counts_.end()) {
      counts_.emplace(word, 1);
    } else {
      ++found->second;
    }
  });
}

Result<BpeVocabulary> BpeTrainer::train(std::size_t size) const {
  BpeVocabulary vocabulary;
  vocabulary.special.assign(std::begin(kSpecial), std::end(kSpecial));
  vocabulary.pieces = vocabulary.special;
  if (counts_.empty()) return Error(ErrorCode::data, "the texts to train a tokenizer on hold no word");
  const std::array<TokenId, 256> id_of = add_alphabet(vocabulary);
  if (size < vocabulary.pieces.size()) {
    return Error(ErrorCode::recipe,
                 fmt::format("a vocabulary of {} has no room for {} special tokens and 256 bytes; at "
                             "least {} is needed",
                             size, vocabulary.special.size(), vocabulary.pieces.size()));
  }

  std::vector<Word> words;
  words.reserve(counts_.size());
  for (const auto& [text, count] : counts_) {
    Word& word = words.emplace_back(Word{{}, count});
    for (const char c : text) word.ids.push_back(id_of[static_cast<unsigned char>(c)]);
  }

  // Two merges can make one piece: "ab" + "c" and "a" + "bc".
  std::unordered_map<std::string, TokenId> known;
  for (std::size_t id = 0; id < vocabulary.pieces.size(); ++id) {
    known.emplace(vocabulary.pieces[id], static_cast<TokenId>(id));
  }
  PairCounts counts(std::move(words));
  while (vocabulary.pieces.size() < size) {
    const auto [key, count] = counts.best();
    if (count < kMinimumCount) break;
    const TokenId left = left_of(key), right = right_of(key);
    std::string piece =
        vocabulary.pieces[static_cast<std::size_t>(left)] + vocabulary.pieces[static_cast<std::size_t>(right)];
    const auto [place, fresh] = known.try_emplace(std::move(piece), static_cast<TokenId>(vocabulary.pieces.size()));
    if (fresh) vocabulary.pieces.push_back(place->first);
    vocabulary.merges.emplace_back(left, right);
    counts.merge(key, place->second);
  }
  return vocabulary;
}

namespace {

Value byte_level(bool trim_offsets) {
  return Value::map(
      {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", trim_offsets}, {"use_regex", true}});
}

Value added_tokens(const std::vector<std::string>& special) {
  Value::List out;
  for (std::size_t id = 0; id < special.size(); ++id) {
    out.push_back(Value::map({{"id", static_cast<std::int64_t>(id)},
                              {"content", special[id]},
                              {"single_word", false},
                              {"lstrip", false},
                              {"rstrip", false},
                              {"normalized", false},
                              {"special", true}}));
  }
  return out;
}

// BOS before a text, as Llama's tokenizer does for those who call it without a chat template.
Value bos_template(const std::string& bos) {
  const auto sequence = [](const char* id, int type) {
    return Value::map({{"Sequence", Value::map({{"id", id}, {"type_id", type}})}});
  };
  const auto token = [&](int type) {
    return Value::map({{"SpecialToken", Value::map({{"id", bos}, {"type_id", type}})}});
  };
  const Value ids = Value::map({{"id", bos}, {"ids", Value::list({0})}, {"tokens", Value::list({bos})}});
  return Value::map({{"type", "TemplateProcessing"},
                     {"single", Value::list({token(0), sequence("A", 0)})},
                     {"pair", Value::list({token(0), sequence("A", 0), token(1), sequence("B", 1)})},
                     {"special_tokens", Value::map({{bos, ids}})}});
}

Value bpe_model(const BpeVocabulary& vocabulary) {
  Value vocab = Value::map();
  for (std::size_t id = 0; id < vocabulary.pieces.size(); ++id) {
    vocab.as_map().push_back({vocabulary.pieces[id], static_cast<std::int64_t>(id)});
  }
  Value::List merges;
  for (const auto& [left, right] :
       vocabulary.merges) {  // the spelling that every version reads; no piece holds a space
    merges.emplace_back(vocabulary.pieces[static_cast<std::size_t>(left)] + " " +
                        vocabulary.pieces[static_cast<std::size_t>(right)]);
  }
  return Value::map({{"type", "BPE"},
                     {"dropout", Value()},
                     {"unk_token", Value()},
                     {"continuing_subword_prefix", Value()},
                     {"end_of_word_suffix", Value()},
                     {"fuse_unk", false},
                     {"byte_fallback", false},
                     {"ignore_merges", false},
                     {"vocab", std::move(vocab)},
                     {"merges", std::move(merges)}});
}

}  // namespace

Result<void> write_tokenizer(const BpeVocabulary& vocabulary, const std::filesystem::path& folder) {
  const std::vector<std::string>& special = vocabulary.special;
  const Value tokenizer = Value::map({{"version", "1.0"},
                                      {"truncation", Value()},
                                      {"padding", Value()},
                                      {"added_tokens", added_tokens(special)},
                                      {"normalizer", Value()},
                                      {"pre_tokenizer", byte_level(true)},
                                      {"post_processor", bos_template(special[0])},
                                      {"decoder", byte_level(true)},
                                      {"model", bpe_model(vocabulary)}});
  const Value names = Value::map({{"bos_token", special[0]}, {"eos_token", special[1]}, {"pad_token", special[2]}});
  Value config = Value::map({{"tokenizer_class", "PreTrainedTokenizerFast"},
                             {"clean_up_tokenization_spaces", false},
                             {"model_max_length", std::int64_t{1} << 40}});
  for (const auto& [key, value] : names.as_map()) config.set(key, value);
  for (const auto& [name, content] : {std::pair{"tokenizer.json", &tokenizer},
                                      {"tokenizer_config.json", &config},
                                      {"special_tokens_map.json", &names}}) {
    Result<void> written = write_file(folder / name, to_json(*content, false, 2) + "\n");
    if (!written) return written;
  }
  return {};
}

}  // namespace plumb
