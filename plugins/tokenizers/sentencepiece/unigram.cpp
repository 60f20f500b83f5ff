// The best path of a unigram model, as in google/sentencepiece src/unigram_model.cc (EncodeOptimized): sums are kept in
// float and compared in double, which decides between paths that are nearly equal.
#include <algorithm>
#include <cfloat>

#include "plumb/utf8.h"
#include "segmenter.h"

namespace plumb::tokenizers {
namespace {

constexpr float kUnknownPenalty = 10.0F;

class Unigram final : public Segmenter {
 public:
  explicit Unigram(const ModelFile& model) : model_(model) {
    std::vector<PrefixIndex::Item> items;
    float lowest = FLT_MAX;
    for (std::size_t id = 0; id < model.pieces.size(); ++id) {
      const Piece& piece = model.pieces[id];
      if (piece.type == PieceType::normal) {
        lowest = std::min(lowest, piece.score);
        highest_ = std::max(highest_, piece.score);
      }
      if (piece.type == PieceType::normal || piece.type == PieceType::user_defined) {
        items.emplace_back(piece.text, static_cast<TokenId>(id));
      }
    }
    unknown_score_ = lowest - kUnknownPenalty;
    pieces_ = PrefixIndex(std::move(items));
  }

  [[nodiscard]] std::vector<Segment> segment(std::string_view text) const override {
    std::vector<Node> ends(text.size() + 1);
    for (std::size_t at = 0; at < text.size();) {
      const float here = ends[at].score;
      const std::size_t character = first_character(text.substr(at)).size;
      bool covered = false;
      pieces_.for_each_prefix(text.substr(at), [&](std::size_t size, TokenId id) {
        offer(ends[at + size], score(id, size) + here, at, id);
        covered = covered || size == character;
      });
      if (!covered) offer(ends[at + character], static_cast<double>(unknown_score_ + here), at, model_.unk_id);
      at += character;
    }
    std::vector<Segment> out;
    for (std::size_t end = text.size(); end > 0; end = static_cast<std::size_t>(ends[end].begin)) {
      const auto begin = static_cast<std::size_t>(ends[end].begin);
      out.push_back({text.substr(begin, end - begin), ends[end].id});
    }
    std::reverse(out.begin(), out.end());
    return out;
  }

 private:
  struct Node {
    float score = 0;
    std::ptrdiff_t begin = -1;  // of the best piece that ends here
    TokenId id = -1;
  };

  // Of equal sums the one that was there first, its last piece the longest, stays: they are compared as float32.
  static void offer(Node& node, double sum, std::size_t begin, TokenId id) {
    const auto score = static_cast<float>(sum);
    if (node.begin >= 0 && score <= node.score) return;
    node = {score, static_cast<std::ptrdiff_t>(begin), id};
  }

  // A user-defined piece always wins.
  [[nodiscard]] double score(TokenId id, std::size_t size) const {
    const Piece& piece = model_.pieces[static_cast<std::size_t>(id)];
    return piece.type == PieceType::user_defined ? static_cast<float>(size) * highest_ - 0.1 : piece.score;
  }

  const ModelFile& model_;
  PrefixIndex pieces_;
  float highest_ = FLT_MIN, unknown_score_ = 0;
};

}  // namespace

std::unique_ptr<Segmenter> make_unigram(const ModelFile& model) {
  return std::make_unique<Unigram>(model);
}

}  // namespace plumb::tokenizers
