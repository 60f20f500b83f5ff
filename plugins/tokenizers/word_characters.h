// The word characters of Rust's regular expressions (UTS #18, annex C), by which Hugging Face's tokenizers tell whether
// an added token with `single_word` stands alone: Alphabetic, marks, decimal digits, connectors, ZWJ and ZWNJ.
// Thread contract: pure.
#pragma once

namespace plumb::tokenizers {

bool is_word_character(char32_t code);

}  // namespace plumb::tokenizers
