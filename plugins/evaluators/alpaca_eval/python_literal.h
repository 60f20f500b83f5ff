// Reads what Python's ast.literal_eval reads of a judge's list: lists, tuples, dictionaries with texts for keys, texts,
// numbers, True, False and None, with comments between them.
//
//   const std::optional<plumb::Value> list = read_python_literal("[{'model': 'model_1', 'rank': 2}]  # close");
//
// Tuples become lists. Sets, bytes, formatted texts, complex numbers, \N{…} and dictionaries with other keys are not
// read: no ranking has them. Nesting ends at 64. Thread contract: [any].
#pragma once

#include <plumb/value.h>

#include <optional>
#include <string_view>

namespace alpaca_eval {

// Nothing when the whole text is no such literal.
std::optional<plumb::Value> read_python_literal(std::string_view text);

}  // namespace alpaca_eval
