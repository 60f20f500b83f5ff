// A regular expression over UTF-8 text, from a tokenizer file: Oniguruma's syntax (onig_pattern.h), run by PCRE2, with
// a bound on its work.
//
//   Regex pattern("\\p{N}{1,3}", json, value);
//   pattern.for_each_match(text, [](std::size_t begin, std::size_t end) { … });
//
// Thread contract: const methods are [any].
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "plumb/json_fields.h"

namespace plumb::tokenizers {

class Regex {
 public:
  // Error(data) at `at` with the reason when the pattern is malformed or not supported.
  Regex(const std::string& pattern, const JsonFields& json, const Value& at);

  // Matches from left to right as Hugging Face's tokenizers find them: empty ones too, but none that touches the end of
  // the match before it. `text` is valid UTF-8. Error(data) when the matches of one text cost more than a second of CPU
  // and a microsecond for each byte: a pattern for tokenizers costs a hundredth of that.
  void for_each_match(std::string_view text, const std::function<void(std::size_t begin, std::size_t end)>& take) const;

 private:
  struct Code;
  std::shared_ptr<const Code> code_;
};

}  // namespace plumb::tokenizers
