// The building blocks of byte-level BPE: GPT-2's word split and its alphabet of 256 printable characters, one per byte.
// The byte-bpe tokenizer encodes with them and the trainer of new vocabularies counts with them.
//
//   plumb::for_each_word("It's 3 o'clock", [](std::string_view word) { /* … */ });   // It | 's | ␣3 | ␣o | ' | clock
//   std::string letters = plumb::to_byte_letters(" a\n");                            // "ĠaĊ"
//
// Source: openai/gpt-2 src/encoder.py (bytes_to_unicode and the pattern); HF tokenizers pre_tokenizers/byte_level.rs.
// Thread contract: pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace plumb {
inline namespace v1 {

// Length in bytes of the first word of a text that is not empty, by the pattern
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// Words cover the text without gaps. A byte that is not UTF-8 counts as a character of no class.
std::size_t first_word(std::string_view text) noexcept;

template <class F>
void for_each_word(std::string_view text, F&& take) {
  while (!text.empty()) {
    const std::size_t size = first_word(text);
    take(text.substr(0, size));
    text.remove_prefix(size);
  }
}

// The printable character that stands for a byte, and back.
char32_t byte_letter(unsigned char byte) noexcept;
std::optional<unsigned char> byte_of_letter(char32_t letter) noexcept;
std::string to_byte_letters(std::string_view bytes);

}  // namespace v1
}  // namespace plumb
