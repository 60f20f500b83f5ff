// Which tokenizer component reads a folder.
//
//   give_tokenizer(model, folder, "", registry, host);       // the component that claims one of the folder's files
//
// Thread contract: [setup].
#pragma once

#include <filesystem>
#include <string>

#include "framework/modeling/language_model.h"

namespace plumb {

// Opens the tokenizer of `folder` with the named component, or (empty) with the one that claims a file there, and gives
// it to the model. Without such a file the model stays without. Error(data) when it has more ids than the model's
// vocabulary.
void give_tokenizer(LanguageModel& model, const std::filesystem::path& folder, const std::string& component,
                    const Registry& registry, Host& host);

}  // namespace plumb
