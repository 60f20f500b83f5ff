#include "models.h"

#include <mutex>

#include "../merge_symbols.h"
#include "plumb/error.h"
#include "plumb/utf8.h"

namespace plumb::tokenizers {
namespace {

constexpr std::int64_t kIdLimit = std::int64_t{1} << 24;
constexpr std::size_t kPieceLimit = 64 * 1024;

Vocabulary parse_vocabulary(const JsonFields& json, const Value& model) {
  const Value::Map& entries = json.map(model, "vocab");
  Vocabulary out;
  out.reserve(entries.size());
  std::vector<bool> taken;
  for (const auto& [piece, value] : entries) {
    const std::int64_t id = json.as_integer(value, "a token id");
    if (id < 0 || id >= kIdLimit) json.fail(value, "token id " + std::to_string(id) + " is not in [0, 16777216)");
    if (piece.size() > kPieceLimit) {
      json.fail(value, "a piece has " + std::to_string(piece.size()) + " bytes; at most 65536 are accepted");
    }
    const auto index = static_cast<std::size_t>(id);
    if (index > 4 * entries.size() + (1 << 16)) {
      json.fail(value, "token id " + std::to_string(id) + " in a vocabulary of " + std::to_string(entries.size()) +
                           " pieces; ids are numbered from 0");
    }
    if (index >= taken.size()) taken.resize(std::max(index + 1, taken.size() * 2));
    if (taken[index]) json.fail(value, "two pieces have the id " + std::to_string(id));
    taken[index] = true;
    out.emplace(piece, static_cast<TokenId>(id));
  }
  return out;
}

class Bpe final : public WordModel {
 public:
  Bpe(const JsonFields& json, const Value& model) : merges_(json.list(model, "merges").size()) {
    vocabulary_ = parse_vocabulary(json, model);
    fuse_unknown_ = json.flag_or(model, "fuse_unk", false);
    ignore_merges_ = json.flag_or(model, "ignore_merges", false);
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      if (!json.text_or(model, key, "").empty()) json.fail(model, std::string("key `") + key + "` is not supported");
    }
    if (const Value* dropout = json.find(model, "dropout"); dropout != nullptr && json.number(model, "dropout") != 0) {
      json.fail(*dropout, "dropout draws at random; set it to null");
    }
    if (const Value* name = json.find(model, "unk_token")) {
      const auto found = vocabulary_.find(json.as_text(*name, "key `unk_token`"));
      if (found == vocabulary_.end()) json.fail(*name, "unk_token is not in the vocabulary");
      unknown_ = found->second;
    }
    if (json.flag_or(model, "byte_fallback", false)) read_bytes();
    read_merges(json, json.list(model, "merges"));
  }

  void encode(std::string_view word, std::vector<TokenId>& out) const override {
    if (ignore_merges_) {
      if (const auto whole = vocabulary_.find(word); whole != vocabulary_.end()) {
        out.push_back(whole->second);
        return;
      }
    }
    std::vector<MergeSymbol> symbols = characters(word);
    merge_symbols(symbols, [this](const MergeSymbol& left, const MergeSymbol& right) -> std::optional<Merge> {
      const MergeTable::Entry* merge = merges_.find(left.id, right.id);
      if (merge == nullptr) return std::nullopt;
      return Merge{static_cast<double>(merge->rank), merge->id};
    });
    for (const MergeSymbol& symbol : symbols) {
      if (symbol.size != 0) out.push_back(symbol.id);
    }
  }

 private:
  // Without all 256 byte pieces there is no falling back for the missing ones.
  void read_bytes() {
    bytes_.fill(-1);
    for (int b = 0; b < 256; ++b) {
      constexpr const char* digits = "0123456789ABCDEF";
      const std::string name = {'<', '0', 'x', digits[b >> 4], digits[b & 15], '>'};
      if (const auto found = vocabulary_.find(name); found != vocabulary_.end()) {
        bytes_[static_cast<std::size_t>(b)] = found->second;
      }
    }
    byte_fallback_ = true;
  }

  void read_merges(const JsonFields& json, const Value::List& merges) {
    const auto id_of = [&](const Value& at, std::string_view piece) {
      const auto found = vocabulary_.find(piece);
      if (found == vocabulary_.end()) {
        json.fail(at, "a merge names \"" + std::string(piece) + "\", which is not in the vocabulary");
      }
      return found->second;
    };
    std::string joined;
    for (std::size_t rank = 0; rank < merges.size(); ++rank) {
      const Value& merge = merges[rank];
      std::string_view left, right;
      if (merge.is_string()) {
        const std::string_view text = merge.as_string();
        const std::size_t space = text.find(' ');
        if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos) {
          json.fail(merge, "a merge is two pieces with one space between them");
        }
        left = text.substr(0, space);
        right = text.substr(space + 1);
      } else {
        const Value::List& pair = json.as_list(merge, "a merge");
        if (pair.size() != 2) json.fail(merge, "a merge has " + std::to_string(pair.size()) + " pieces, wanted 2");
        left = json.as_text(pair[0], "a merge's piece");
        right = json.as_text(pair[1], "a merge's piece");
      }
      joined.assign(left).append(right);
      const TokenId a = id_of(merge, left), b = id_of(merge, right);
      merges_.put(a, b, static_cast<std::uint32_t>(rank), id_of(merge, joined));
    }
  }

  std::vector<MergeSymbol> characters(std::string_view word) const {
    std::vector<MergeSymbol> symbols;
    symbols.reserve(word.size());
    bool after_unknown = false;
    for (std::size_t at = 0; at < word.size();) {
      const auto begin = static_cast<std::uint32_t>(at);
      const std::uint32_t size = first_character(word.substr(at)).size;
      const std::string_view character = word.substr(at, size);
      at += size;
      if (const auto found = vocabulary_.find(character); found != vocabulary_.end()) {
        symbols.push_back({begin, size, found->second, false});
        after_unknown = false;
      } else if (has_bytes(character)) {
        for (std::uint32_t i = 0; i < size; ++i) {
          symbols.push_back({begin + i, 1, bytes_[static_cast<unsigned char>(character[i])], false});
        }
        after_unknown = false;
      } else if (unknown_) {
        if (after_unknown && fuse_unknown_) {
          symbols.back().size += size;
        } else {
          symbols.push_back({begin, size, *unknown_, false});
        }
        after_unknown = true;
      }
    }
    return symbols;
  }

  [[nodiscard]] bool has_bytes(std::string_view character) const {
    if (!byte_fallback_) return false;
    for (const char c : character) {
      if (bytes_[static_cast<unsigned char>(c)] < 0) return false;
    }
    return true;
  }

  MergeTable merges_;
  std::array<TokenId, 256> bytes_{};
  bool byte_fallback_ = false, fuse_unknown_ = false, ignore_merges_ = false;
};

class WordLevel final : public WordModel {
 public:
  WordLevel(const JsonFields& json, const Value& model) {
    vocabulary_ = parse_vocabulary(json, model);
    const std::string& name = json.text(model, "unk_token");
    if (const auto found = vocabulary_.find(name); found != vocabulary_.end()) unknown_ = found->second;
  }

  void encode(std::string_view word, std::vector<TokenId>& out) const override {
    if (const auto found = vocabulary_.find(word); found != vocabulary_.end()) {
      out.push_back(found->second);
    } else if (unknown_) {
      out.push_back(*unknown_);
    } else {
      throw Error(ErrorCode::data,
                  "the tokenizer knows neither the word \"" + std::string(word) + "\" nor an unk_token");
    }
  }
};

}  // namespace

std::unique_ptr<WordModel> parse_model(const JsonFields& json, const Value& model) {
  // Files before 2020 leave the type out; only BPE has merges.
  const std::string type = json.text_or(model, "type", json.find(model, "merges") != nullptr ? "BPE" : "");
  if (type == "BPE") return std::make_unique<Bpe>(json, model);
  if (type == "WordLevel") return std::make_unique<WordLevel>(json, model);
  json.fail(model, "model type `" + type + "` is not supported; known are BPE and WordLevel");
}

bool WordCache::find(std::string_view word, std::vector<TokenId>& out) const {
  if (word.size() > kLongestWord) return false;
  Shard& shard = shards_[TextHash()(word) % kShards];
  const std::shared_lock hold(shard.lock);
  const auto found = shard.words.find(word);
  if (found == shard.words.end()) return false;
  out.insert(out.end(), found->second.begin(), found->second.end());
  return true;
}

void WordCache::remember(std::string_view word, const TokenId* begin, const TokenId* end) const {
  if (word.size() > kLongestWord) return;
  Shard& shard = shards_[TextHash()(word) % kShards];
  const std::unique_lock hold(shard.lock);
  if (shard.words.size() < kWordsPerShard) shard.words.try_emplace(std::string(word), begin, end);
}

}  // namespace plumb::tokenizers
