// Patterns in the syntax of Oniguruma, which Hugging Face's tokenizers use, written for PCRE2.
//
//   const std::string pattern = pcre2_pattern("\\s+(?!\\S)|\\p{N}{1,3}");   // PatternError for what is refused
//
// The two agree in most of their syntax; where they do not, this says the same in PCRE2's words: \s is White_Space
// alone, \h a hexadecimal digit, \v one character, \w has marks, {n,m}+ is not possessive, {n}? makes optional, ^ and $
// stand at lines, (?i) reaches to the end of its group, (?m) is for the dot, classes nest and intersect (&&), and the
// names in \p{…} and [[:…:]] are Oniguruma's. Refused: recursion and calls, conditions, callouts and verbs, absent
// operators, \K, \X, \y, \c, \C, \M, the options x W D S P. Sources: Oniguruma 6.9 doc/RE; tokenizers 0.22.2, probed.
// Thread contract: pure.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

namespace plumb::tokenizers {

struct PatternError : std::runtime_error {
  PatternError(std::size_t place, const std::string& what) : std::runtime_error(what), at(place) {}
  std::size_t at;  // byte of the pattern
};

// For pcre2_compile with UTF, UCP, MULTILINE and newline LF. `pattern` is valid UTF-8.
std::string pcre2_pattern(std::string_view pattern);

}  // namespace plumb::tokenizers
