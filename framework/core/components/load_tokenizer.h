// The tokenizer of a folder or file: one reader for models, stages and `plumb tokenize`.
//
//   TokenizerOrigin origin = find_tokenizer_file(registry, "models/Llama-2-7b");       // which file, which component
//   std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(registry, "models/Llama-2-7b", host).value();
//
// Thread contract: [any].
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "framework/core/registry/registry.h"
#include "framework/result.h"
#include "plumb/tokenizer.h"

namespace plumb {

struct TokenizerOrigin {
  const KnownComponent* component = nullptr;  // null: the folder has no file that a plugin recognises
  std::filesystem::path file;
};

// Of a folder with several recognised files tokenizer.json counts first, then tokenizer.model, then the others by name:
// as transformers' AutoTokenizer, to whom the fast tokenizer's file is the tokenizer. Like there, tokenizer.model comes
// first for a Llama tokenizer whose tokenizer_config.json sets add_prefix_space, which tokenizer.json cannot know.
TokenizerOrigin find_tokenizer_file(const Registry& registry, const std::filesystem::path& folder);

// The tokenizer component `name` on a file or folder, as one whose every method is called as Made (made.h) calls it:
// tokenizers are handed on to code that asks for a Tokenizer. Throws what make (make.h) throws.
std::unique_ptr<Tokenizer> make_tokenizer(const Registry& registry, const std::string& name,
                                          const std::filesystem::path& path, Host& host);

// `path` is a folder, or a tokenizer file in one. A folder's plumb.json may name the component that reads it; otherwise
// find_tokenizer_file says. A file of another name goes to the plugin that recognises a file with its extension.
// Error(data) names what is there and what would be recognised.
Result<std::unique_ptr<Tokenizer>> load_tokenizer(const Registry& registry, const std::filesystem::path& path,
                                                  Host& host);

}  // namespace plumb
