// Precompiled normalisation rules of a SentencePiece model: a double-array trie (darts-clone's layout) from character
// sequences to what replaces them.
//
//   Charsmap rules(model.charsmap, "tokenizer.model");     // checks every reachable node once
//   if (auto match = rules.longest(text)) …                // match->size bytes become match->replacement
//
// Thread contract: const methods are [any].
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plumb::tokenizers {

class Charsmap {
 public:
  struct Match {
    std::size_t size;
    std::string_view replacement;
  };

  // Error(data) for sizes that do not fit, a node whose children lie outside of the array (also the root's), a
  // replacement outside of the text block or not UTF-8. An empty blob has no rules.
  Charsmap(std::string_view blob, const std::string& origin);

  [[nodiscard]] std::optional<Match> longest(std::string_view text) const;
  [[nodiscard]] bool empty() const { return units_.empty(); }

 private:
  void check(const std::string& origin) const;
  [[nodiscard]] std::string_view replacement_at(std::uint32_t offset) const;

  std::vector<std::uint32_t> units_;
  std::string replacements_;  // each ends with NUL
};

}  // namespace plumb::tokenizers
