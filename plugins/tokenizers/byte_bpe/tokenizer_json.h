// A tokenizer.json as Hugging Face's `tokenizers` library writes it, read into checked steps.
// What the framework owns is not read: post_processor (BOS and EOS), truncation, padding.
// Thread contract: [setup]; the result is constant.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../added_tokens.h"
#include "decoders.h"
#include "models.h"
#include "normalizers.h"
#include "pre_tokenizers.h"

namespace plumb::tokenizers {

struct TokenizerJson {
  std::vector<Normalize> normalizers;
  PreTokenizer pre_tokenizer;
  std::unique_ptr<WordModel> model;
  Decoder decoder;
  std::vector<AddedToken> added;
};

// Error(data) with file:line:column for anything malformed, unknown or too large. `prefix_space`: instead of the file's
// word for a byte-level pre-tokenizer that stands alone.
TokenizerJson read_tokenizer_json(const std::string& path, std::optional<bool> prefix_space = std::nullopt);

}  // namespace plumb::tokenizers
