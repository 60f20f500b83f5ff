// A regular expression over UTF-8 text, from a tokenizer file: PCRE2 with Unicode classes and a bound on its work.
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
  // Error(data) at `at` with PCRE2's reason when the pattern is malformed.
  Regex(const std::string& pattern, const JsonFields& json, const Value& at);
  // Matches from left to right, without empty ones. Error(data) when one costs more than the bound. `text` is valid
  // UTF-8.
  void for_each_match(std::string_view text, const std::function<void(std::size_t begin, std::size_t end)>& take) const;

 private:
  struct Code;
  std::shared_ptr<const Code> code_;
};

}  // namespace plumb::tokenizers
