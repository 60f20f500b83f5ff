// The tokenizer of a model folder, made by whichever plugin recognises its files.
//
//   std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(registry, "models/Llama-2-7b", host).value();
//
// Thread contract: [any].
#pragma once

#include <filesystem>
#include <memory>

#include "framework/registry/registry.h"
#include "framework/result.h"
#include "plumb/tokenizer.h"

namespace plumb {

// `path` is a folder, or a tokenizer file in one. Of several recognised files in a folder the first by name counts
// (tokenizer.json before tokenizer.model: both hold the same tokenizer). A file of another name goes to the plugin that
// recognises a file with its extension. Error(data) names what is there and what would be recognised.
Result<std::unique_ptr<Tokenizer>> load_tokenizer(const Registry& registry, const std::filesystem::path& path,
                                                  Host& host);

}  // namespace plumb
