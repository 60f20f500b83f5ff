// The `normalizer` of a tokenizer.json: what happens to a text before it is split.
// Known: Lowercase NFC NFD NFKC NFKD Prepend Replace Sequence Strip.
// Thread contract: a step may be called from any thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "plumb/json_fields.h"

namespace plumb::tokenizers {

// Changes `text` (valid UTF-8, not empty). `continues`: the text goes on after other text, so nothing is put before it.
// `room`: the size at which it gives up with Error(data).
using Normalize = std::function<void(std::string& text, bool continues, std::size_t room)>;

// All of them in order. Error(data) for a text that grows to more than 64 times its size (and a mebibyte): no language
// does that, and a file of a few kilobytes could otherwise fill the memory.
void normalise(const std::vector<Normalize>& steps, std::string& text, bool continues);

// `step` may be null: no normaliser. Error(data) for an unknown one.
std::vector<Normalize> parse_normalizers(const JsonFields& json, const Value* step);

}  // namespace plumb::tokenizers
