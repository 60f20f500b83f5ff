// The `normalizer` of a tokenizer.json: what happens to a text before it is split.
// Known: NFC NFD NFKC NFKD Prepend Replace Sequence.
// Thread contract: a step may be called from any thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "plumb/json_fields.h"

namespace plumb::tokenizers {

// Changes `text` (valid UTF-8, not empty). `continues`: the text goes on after other text, so nothing is put before it.
using Normalize = std::function<void(std::string& text, bool continues)>;

// `step` may be null: no normaliser. Error(data) for an unknown one.
std::vector<Normalize> parse_normalizers(const JsonFields& json, const Value* step);

}  // namespace plumb::tokenizers
