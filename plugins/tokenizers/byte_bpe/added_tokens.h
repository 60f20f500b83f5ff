// Tokens that are looked for in the text before anything else: special ones such as </s>, and others such as GPT-NeoX's
// runs of spaces.
//
//   for (const Span& span : added.split(text, AddedTokens::Search::raw, /*special=*/false)) …
//
// Thread contract: const methods are [any].
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "../special_tokens.h"

namespace plumb::tokenizers {

class AddedTokens {
 public:
  enum class Search { raw, normalised };  // in the text as given (`normalized: false`), or after the normaliser

  struct Span {
    std::string_view text;
    std::optional<TokenId> id;  // of the added token; nothing for plain text
  };

  void add(const AddedToken& token, std::string spelling);

  // Plain text and tokens in order, covering `text`: the leftmost, of these the longest. Special tokens are found only
  // with `special`; otherwise their spelling is plain text.
  [[nodiscard]] std::vector<Span> split(std::string_view text, Search search, bool special) const;

  [[nodiscard]] const AddedToken* find(TokenId id) const;

 private:
  // A trie over bytes. Node 0 is the root.
  struct Node {
    std::unordered_map<char, std::uint32_t> next;
    const AddedToken* token = nullptr;
  };
  using Trie = std::vector<Node>;

  struct Match {
    std::size_t size = 0;
    const AddedToken* token = nullptr;
  };
  [[nodiscard]] static Match longest(const Trie& trie, std::string_view text);

  std::unordered_map<TokenId, AddedToken> tokens_;
  Trie raw_{1}, normalised_{1};
};

}  // namespace plumb::tokenizers
