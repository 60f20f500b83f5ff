// BPE as in google/sentencepiece src/bpe_model.cc: two neighbours merge when their text together is a piece, the
// highest score first, of equal ones the leftmost.
#include <unordered_map>
#include <utility>

#include "../merge_symbols.h"
#include "plumb/utf8.h"
#include "segmenter.h"

namespace plumb::tokenizers {
namespace {

bool mergeable(PieceType type) {
  return type == PieceType::normal || type == PieceType::user_defined || type == PieceType::unused;
}

class Bpe final : public Segmenter {
 public:
  Bpe(const ModelFile& model, const PrefixIndex& user_defined) : model_(model), user_defined_(user_defined) {
    for (std::size_t id = 0; id < model.pieces.size(); ++id) {
      const Piece& piece = model.pieces[id];
      ids_.emplace(piece.text, static_cast<TokenId>(id));
      if (mergeable(piece.type)) merged_.emplace(piece.text, static_cast<TokenId>(id));
      has_unused_ = has_unused_ || piece.type == PieceType::unused;
    }
    fill_merges();
  }

  [[nodiscard]] std::vector<Segment> segment(std::string_view text) const override {
    std::vector<MergeSymbol> symbols = characters(text);
    Parts parts;
    merge_symbols(symbols, [&](const MergeSymbol& left, const MergeSymbol& right) -> std::optional<Merge> {
      const TokenId id = together(text, left, right);
      if (id < 0) return std::nullopt;
      if (has_unused_ && piece(id).type == PieceType::unused) parts[id] = {left, right};
      return Merge{-static_cast<double>(piece(id).score), id};
    });
    std::vector<Segment> out;
    for (const MergeSymbol& symbol : symbols) {
      if (symbol.size != 0) put(text, symbol, parts, out);
    }
    return out;
  }

 private:
  // What an unused piece was last put together from: it is taken apart again.
  using Parts = std::unordered_map<TokenId, std::pair<MergeSymbol, MergeSymbol>>;

  // Every way to put a piece together from two pieces.
  void fill_merges() {
    const PrefixIndex pieces(std::vector<PrefixIndex::Item>(ids_.begin(), ids_.end()));
    struct Split {
      TokenId left, right, id;
    };
    std::vector<Split> splits;
    for (const auto& whole : merged_) {
      const std::string_view text = whole.first;
      pieces.for_each_prefix(text, [&](std::size_t size, TokenId left) {
        const auto right = ids_.find(text.substr(size));
        if (right != ids_.end()) splits.push_back({left, right->second, whole.second});
      });
    }
    merges_ = MergeTable(splits.size());
    for (const Split& split : splits) merges_.put(split.left, split.right, 0, split.id);
  }

  [[nodiscard]] const Piece& piece(TokenId id) const { return model_.pieces[static_cast<std::size_t>(id)]; }

  [[nodiscard]] TokenId together(std::string_view text, const MergeSymbol& left, const MergeSymbol& right) const {
    if (left.id >= 0 && right.id >= 0) {
      const MergeTable::Entry* merge = merges_.find(left.id, right.id);
      return merge == nullptr ? -1 : merge->id;
    }
    const auto found = merged_.find(text.substr(left.begin, left.size + right.size));
    return found == merged_.end() ? -1 : found->second;
  }

  [[nodiscard]] std::vector<MergeSymbol> characters(std::string_view text) const {
    std::vector<MergeSymbol> symbols;
    symbols.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
      const std::string_view rest = text.substr(at);
      const std::size_t whole = user_defined_.longest(rest);
      const std::size_t size = whole > 0 ? whole : first_character(rest).size;
      const auto found = ids_.find(rest.substr(0, size));
      symbols.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(size),
                         found == ids_.end() ? -1 : found->second, whole > 0});
      at += size;
    }
    return symbols;
  }

  void put(std::string_view text, const MergeSymbol& symbol, const Parts& parts, std::vector<Segment>& out) const {
    const std::string_view spelling = text.substr(symbol.begin, symbol.size);
    if (symbol.id >= 0 && piece(symbol.id).type == PieceType::unused) {
      if (const auto made_of = parts.find(symbol.id); made_of != parts.end()) {
        // The parts may have been met elsewhere in the text, spelt the same.
        MergeSymbol left = made_of->second.first, right = made_of->second.second;
        left.begin = symbol.begin;
        right.begin = symbol.begin + left.size;
        put(text, left, parts, out);
        put(text, right, parts, out);
        return;
      }
    }
    out.push_back({spelling, symbol.id < 0 ? model_.unk_id : symbol.id});
  }

  const ModelFile& model_;
  const PrefixIndex& user_defined_;
  std::unordered_map<std::string_view, TokenId> ids_, merged_;
  MergeTable merges_{0};
  bool has_unused_ = false;
};

}  // namespace

std::unique_ptr<Segmenter> make_bpe(const ModelFile& model, const PrefixIndex& user_defined) {
  return std::make_unique<Bpe>(model, user_defined);
}

}  // namespace plumb::tokenizers
