// What a model folder's tokenizer_config.json, special_tokens_map.json and added_tokens.json say about special tokens.
//
//   const DeclaredTokens declared = read_declared_tokens("models/Llama-2-7b");
//   SpecialTokens special = resolve_special(declared, [&](std::string_view piece) { return find(piece); });
//
// Thread contract: [setup].
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plumb/json_fields.h"
#include "plumb/tokenizer.h"

namespace plumb::tokenizers {

struct AddedToken {
  TokenId id = -1;
  std::string content;
  bool special = false;
  bool normalized = false;  // looked for in the normalised text instead of the raw one
  bool single_word = false, lstrip = false, rstrip = false;
};

// An entry of `added_tokens` or `added_tokens_decoder`.
AddedToken parse_added_token(const JsonFields& json, const Value& entry, TokenId id);

struct DeclaredTokens {
  std::string folder;
  bool any_file = false;  // tokenizer_config.json or special_tokens_map.json exists
  std::optional<std::string> bos, eos, pad, unk;
  std::vector<std::string> additional;  // additional_special_tokens
  std::vector<AddedToken> added;        // added_tokens_decoder, or without one added_tokens.json; by id
  std::optional<bool> legacy;           // of Llama's tokenizers: only `false` changes anything
  std::optional<bool> add_prefix_space;
  bool names_prefix_space = false;  // the key is there, be it null
  bool config_file = false;         // tokenizer_config.json exists

  [[nodiscard]] bool is_special(std::string_view content) const;
};

// The id that Hugging Face's tokenizers give the next added token that the vocabulary does not hold: they number added
// tokens by themselves, whatever id a file gives. `largest`: the largest id of the added tokens so far, or -1.
TokenId next_added_id(std::size_t vocabulary, TokenId largest);

// Added tokens of a tokenizer.json, then the declared ones as transformers adds them: a known spelling gets the
// declared flags, a new one the next id, and special tokens that are named are special. Error(data) with `file` for an
// id that is neither the vocabulary's nor the next.
std::vector<AddedToken> merge_added(std::vector<AddedToken> added, const DeclaredTokens& declared,
                                    std::size_t vocabulary,
                                    const std::function<std::optional<TokenId>(std::string_view)>& find,
                                    const std::string& file);

DeclaredTokens read_declared_tokens(const std::string& folder);

// Ids of the declared names; Error(data) for a name that the vocabulary lacks. A folder that declares nothing gets the
// customary spellings that its vocabulary has (<s>, </s>, <pad>, <unk>; <|endoftext|> as bos and eos; <|padding|>).
SpecialTokens resolve_special(const DeclaredTokens& declared,
                              const std::function<std::optional<TokenId>(std::string_view)>& find);

// The names among the files a tokenizer consists of that exist in the folder; `main` is its own file.
std::vector<std::string> tokenizer_files(const std::string& folder, const std::string& main);

}  // namespace plumb::tokenizers
