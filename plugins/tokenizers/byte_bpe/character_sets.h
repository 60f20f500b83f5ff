// Sets of characters by the names that Oniguruma knows, and how PCRE2 writes them.
//
//   CharacterSet letters = named_set("L");            // also "Letter", "Greek", "alpha", "InBasicLatin", …
//   std::string text = in_class(letters);             // "\\p{L}", to stand between [ and ]
//
// Thread contract: pure.
#pragma once

#include <unicode/uniset.h>

#include <optional>
#include <string>
#include <string_view>

namespace plumb::tokenizers {

struct CharacterSet {
  icu::UnicodeSet set;
  std::string written;  // shorter than its ranges, where there is one
};

// The set in \p{name}; nothing for an unknown name. Case, spaces, - and _ do not count.
std::optional<CharacterSet> named_set(std::string_view name);
// The set in [:name:], of which one differs: punct holds symbols, too.
std::optional<CharacterSet> bracket_set(std::string_view name);

// Sets of the escapes \s \d \w \h.
const CharacterSet& white_space();
const CharacterSet& decimal_digits();
const CharacterSet& word_characters();
const CharacterSet& hexadecimal_digits();

CharacterSet complement(const CharacterSet& of);

std::string in_class(const CharacterSet& set);
std::string code_escape(char32_t code);

}  // namespace plumb::tokenizers
