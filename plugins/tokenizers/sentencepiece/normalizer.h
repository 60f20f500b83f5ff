// SentencePiece's normalisation: rules, white space, the dummy prefix, spaces spelt as U+2581.
// Source: google/sentencepiece src/normalizer.cc (0.2).
// Thread contract: const methods are [any].
#pragma once

#include <string>
#include <string_view>

#include "charsmap.h"
#include "model_file.h"
#include "prefix_index.h"

namespace plumb::tokenizers {

inline constexpr std::string_view kSpaceMark = "\u2581";

class SpmNormalizer {
 public:
  // `user_defined` pieces are kept as they are written. Both must outlive the normaliser.
  SpmNormalizer(const ModelFile& model, const PrefixIndex& user_defined, const std::string& origin);

  // `continues`: the text goes on after other text, so the dummy prefix is left out, and a space it begins with is
  // kept.
  [[nodiscard]] std::string normalize(std::string_view text, bool continues) const;

 private:
  struct Step {
    std::string_view text;  // what stands for the next `size` bytes
    std::size_t size;
  };
  [[nodiscard]] Step next(std::string_view text) const;

  const ModelFile& model_;
  const PrefixIndex& user_defined_;
  Charsmap rules_;
};

}  // namespace plumb::tokenizers
