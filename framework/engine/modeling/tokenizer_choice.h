// Which tokenizer component reads a folder.
//
//   ChosenTokenizer chosen = open_tokenizer(folder, "", registry, host);   // as components/load_tokenizer.h finds it
//   give_tokenizer(model, chosen);
//
// Thread contract: [setup].
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "framework/engine/modeling/language_model.h"

namespace plumb {

struct ChosenTokenizer {
  std::shared_ptr<Tokenizer> tokenizer;  // null: the folder has none
  std::string component;
  std::filesystem::path folder;
};

// The tokenizer of `folder` with the named component, or (empty) with the one that find_tokenizer_file
// (components/load_tokenizer.h) finds.
ChosenTokenizer open_tokenizer(const std::filesystem::path& folder, const std::string& component,
                               const Registry& registry, Host& host);

// Error(data) when the tokenizer has more ids than the model's vocabulary, unless the only one beyond is its padding:
// batches are not padded here, so that no row of the table is ever looked up for it.
void give_tokenizer(LanguageModel& model, ChosenTokenizer chosen);

}  // namespace plumb
