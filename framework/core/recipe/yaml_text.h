// The bytes of a recipe before they are parsed: what is refused by character, and where a byte stands.
//
//   YamlText text(bytes);
//   text.problems();            // tabs, control characters, malformed UTF-8
//   text.mark(yaml_cpp_mark);   // counted in characters from 1
//
// Thread contract: constant after construction.
#pragma once

#include <yaml-cpp/mark.h>

#include <string>
#include <string_view>
#include <vector>

#include "framework/core/recipe/problem.h"

namespace plumb {

class YamlText {
 public:
  explicit YamlText(std::string_view bytes);  // a byte order mark at the start is skipped

  [[nodiscard]] const std::vector<Problem>& problems() const { return problems_; }
  // False when the parser would misread what follows: indentation with tabs, characters it decodes differently.
  [[nodiscard]] bool can_be_parsed() const { return can_be_parsed_; }
  // The same length, with blanks for tabs, so that one pass finds the other problems too.
  [[nodiscard]] const std::string& readable() const { return readable_; }

  [[nodiscard]] Mark mark(const YAML::Mark& mark) const;
  [[nodiscard]] char at(int byte) const;
  // Whether a text in quotes that begins at `byte` ends; true for text without quotes. The parser takes the end of the
  // file for the closing quote.
  [[nodiscard]] bool quotes_close(int byte) const;
  // Whether the key at `byte` is followed by its ':'. `size`: of the key when it is not quoted.
  [[nodiscard]] bool colon_follows(int byte, std::size_t size) const;

  // Where the line above holds one word and nothing else; line 0: it does not.
  [[nodiscard]] Mark lone_word_above(int line) const;

 private:
  void scan();
  [[nodiscard]] std::size_t after_quotes(std::size_t byte) const;
  [[nodiscard]] Mark mark_of(std::size_t byte) const;

  std::string readable_;
  std::vector<std::size_t> lines_;  // where each starts
  std::vector<Problem> problems_;
  bool can_be_parsed_ = true;
};

}  // namespace plumb
