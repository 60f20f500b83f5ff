// The `pre_tokenizer` of a tokenizer.json: how a normalised text is cut into the words within which pieces are merged.
// Known: ByteLevel CharDelimiterSplit Digits Metaspace Punctuation Sequence Split Whitespace WhitespaceSplit.
// Thread contract: a step may be called from any thread.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plumb/json_fields.h"

namespace plumb::tokenizers {

// Words in order. Views into the text given, or into `owned` where a step changed them.
struct Words {
  std::vector<std::string_view> words;
  std::deque<std::string> owned;
};

// `begins`: the first word is the beginning of the whole text. `continues`: no dummy prefix for the first word.
struct WordPlace {
  bool begins = true;
  bool continues = false;
};
using SplitWords = std::function<void(Words& words, WordPlace place)>;

struct PreTokenizer {
  std::vector<SplitWords> steps;
  bool byte_letters = false;  // words are then spelt in byte-level BPE's alphabet
};

// `prefix_space`: instead of the word of a ByteLevel that stands alone.
PreTokenizer parse_pre_tokenizer(const JsonFields& json, const Value* step, std::optional<bool> prefix_space);

}  // namespace plumb::tokenizers
