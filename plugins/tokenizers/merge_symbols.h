// The merge loop of byte-pair encoding, in O(n log n): the cheapest pair of neighbours is merged first, of equally
// cheap ones the leftmost, until no pair has a merge.
//
//   std::vector<MergeSymbol> symbols = …;                      // one per character, in order
//   merge_symbols(symbols, [&](const MergeSymbol& left, const MergeSymbol& right) -> std::optional<Merge> { … });
//   // what is left: the symbols whose size is not 0
//
// Thread contract: works on its arguments alone.
#pragma once

#include <cstdint>
#include <optional>
#include <queue>
#include <vector>

#include "plumb/records.h"

namespace plumb::tokenizers {

struct MergeSymbol {
  std::uint32_t begin = 0, size = 0;  // bytes of the text; size 0: merged into the symbol before it
  TokenId id = -1;                    // -1: not in the vocabulary
  bool frozen = false;                // takes part in no merge
};

struct Merge {
  double cost;  // lower is earlier: HF's rank, or the negated score of SentencePiece
  TokenId id;   // of the merged symbol
};

// Merges by the ids of both sides: open addressing, since every pair of neighbours is looked up.
class MergeTable {
 public:
  struct Entry {
    std::uint64_t key = kEmpty;
    std::uint32_t rank = 0;
    TokenId id = -1;  // of the merged symbol
  };

  // At most `count` merges will be put in.
  explicit MergeTable(std::size_t count) {
    std::size_t size = 16;
    while (size < count * 2) size *= 2;
    slots_.resize(size);
  }
  // The later of two merges of one pair counts.
  void put(TokenId left, TokenId right, std::uint32_t rank, TokenId id) {
    slots_[slot(key(left, right))] = {key(left, right), rank, id};
  }
  [[nodiscard]] const Entry* find(TokenId left, TokenId right) const {
    const Entry& entry = slots_[slot(key(left, right))];
    return entry.key == kEmpty ? nullptr : &entry;
  }

 private:
  static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};
  static std::uint64_t key(TokenId left, TokenId right) {
    return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
  }
  [[nodiscard]] std::size_t slot(std::uint64_t wanted) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = static_cast<std::size_t>((wanted * 0x9E3779B97F4A7C15u) >> 20) & mask;
    while (slots_[at].key != kEmpty && slots_[at].key != wanted) at = (at + 1) & mask;
    return at;
  }
  std::vector<Entry> slots_;
};

template <class FindMerge>
void merge_symbols(std::vector<MergeSymbol>& symbols, FindMerge&& find) {
  struct Candidate {
    double cost;
    std::uint32_t at;  // index of the left symbol
    TokenId id;
    bool operator<(const Candidate& other) const { return cost != other.cost ? cost > other.cost : at > other.at; }
  };
  const auto count = static_cast<std::uint32_t>(symbols.size());
  std::vector<std::uint32_t> next(count), previous(count);
  std::priority_queue<Candidate> queue;
  const auto merge_of = [&](std::uint32_t left) -> std::optional<Merge> {
    const std::uint32_t right = next[left];
    if (right >= count || symbols[left].frozen || symbols[right].frozen) return std::nullopt;
    return find(symbols[left], symbols[right]);
  };
  const auto offer = [&](std::uint32_t left) {
    if (const std::optional<Merge> merge = merge_of(left)) queue.push({merge->cost, left, merge->id});
  };

  for (std::uint32_t i = 0; i < count; ++i) {
    next[i] = i + 1;
    previous[i] = i - 1;  // wraps around for the first, which has none
  }
  for (std::uint32_t i = 0; i + 1 < count; ++i) offer(i);

  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    MergeSymbol& left = symbols[best.at];
    if (left.size == 0) continue;
    const std::optional<Merge> now = merge_of(best.at);
    if (!now || now->id != best.id) continue;  // a neighbour has changed since
    MergeSymbol& right = symbols[next[best.at]];
    left.size += right.size;
    left.id = best.id;
    right.size = 0;
    next[best.at] = next[next[best.at]];
    if (next[best.at] < count) previous[next[best.at]] = best.at;
    if (previous[best.at] < count) offer(previous[best.at]);
    offer(best.at);
  }
}

}  // namespace plumb::tokenizers
