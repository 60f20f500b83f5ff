// Tokens that are looked for in the text before anything else: special ones such as </s>, and others such as GPT-NeoX's
// runs of spaces. As Hugging Face's AddedVocabulary (tokenizers 0.22).
//
//   AddedTokens added;
//   added.add(token, spelling);   // any number; special tokens first, since of equal spellings the first counts
//   added.finish();
//   for (const Span& span : added.split(text, AddedTokens::Search::raw, /*special=*/false)) …
//
// Thread contract: const methods are [any].
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "special_tokens.h"

namespace plumb::tokenizers {

class AddedTokens {
 public:
  enum class Search { raw, normalised };  // in the text as given (`normalized: false`), or after the normaliser

  struct Span {
    std::string_view text;
    std::optional<TokenId> id;  // of the added token; nothing for plain text
  };

  void add(const AddedToken& token, std::string_view spelling);
  void finish();  // after the last add

  // Plain text and tokens in order: the leftmost, of these the longest. They cover `text`; white space that two tokens
  // strip belongs to both. Special tokens are found only with `special`; otherwise their spelling is plain text.
  [[nodiscard]] std::vector<Span> split(std::string_view text, Search search, bool special) const;

  [[nodiscard]] const AddedToken* find(TokenId id) const;

 private:
  // Finds, for every place of a text, the longest spelling that begins there, in time linear in the text: an
  // Aho-Corasick automaton of the spellings read backwards (Aho, Corasick 1975), which walks the text backwards.
  class Matcher {
   public:
    Matcher() : nodes_(1) { first_.fill(0); }
    void add(std::string_view spelling, const AddedToken* token);
    void finish();  // after the last add
    struct Match {
      std::size_t begin, size;
      const AddedToken* token;
    };
    [[nodiscard]] std::vector<Match> matches(std::string_view text) const;  // by place
    [[nodiscard]] bool empty() const { return nodes_.size() == 1; }

   private:
    struct Node {
      std::uint32_t fail = 0, depth = 0;
      std::uint32_t longest = 0;  // the node of the longest spelling that ends here; 0: none
      const AddedToken* token = nullptr;
    };
    [[nodiscard]] std::uint32_t child(std::uint32_t node, unsigned char byte) const;
    [[nodiscard]] std::uint32_t step(std::uint32_t node, unsigned char byte) const;

    std::vector<Node> nodes_;  // node 0 is the root
    std::array<std::uint32_t, 256> first_{};
    std::unordered_map<std::uint64_t, std::uint32_t> next_;  // of the other nodes, by node and byte
  };

  std::unordered_map<TokenId, AddedToken> tokens_;
  Matcher raw_, normalised_;
};

}  // namespace plumb::tokenizers
