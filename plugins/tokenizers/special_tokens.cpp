#include "special_tokens.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "plumb/error.h"

namespace plumb::tokenizers {
namespace {

constexpr std::uint64_t kConfigLimit = std::uint64_t{64} << 20;
constexpr TokenId kIdLimit = 1 << 24;

TokenId checked_id(const JsonFields& json, const Value& at, std::int64_t id) {
  if (id < 0 || id >= kIdLimit) json.fail(at, "token id " + std::to_string(id) + " is not in [0, 16777216)");
  return static_cast<TokenId>(id);
}

// A special token is written as its text, or as a map with `content`.
void read_name(const JsonFields& json, const Value& root, const char* key, std::optional<std::string>& name) {
  const Value* value = json.find(root, key);
  if (value == nullptr) return;
  name = value->is_map() ? json.text(*value, "content") : json.as_text(*value, key);
}

void read_names(const JsonFields& json, const Value& root, DeclaredTokens& out) {
  out.any_file = true;
  read_name(json, root, "bos_token", out.bos);
  read_name(json, root, "eos_token", out.eos);
  read_name(json, root, "pad_token", out.pad);
  read_name(json, root, "unk_token", out.unk);
}

void read_added_decoder(const JsonFields& json, const Value& root, DeclaredTokens& out) {
  const Value* decoder = json.find(root, "added_tokens_decoder");
  if (decoder == nullptr) return;
  for (const auto& [key, entry] : json.as_map(*decoder, "added_tokens_decoder")) {
    std::int64_t id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size()) json.fail(entry, "key `" + key + "` is no token id");
    out.added.push_back(parse_added_token(json, entry, checked_id(json, entry, id)));
  }
}

void read_added_map(const JsonFields& json, const Value& root, DeclaredTokens& out) {
  for (const auto& [content, id] : json.as_map(root, "the file")) {
    const bool known =
        std::any_of(out.added.begin(), out.added.end(), [&](const AddedToken& t) { return t.content == content; });
    if (known) continue;
    AddedToken token;
    token.id = checked_id(json, id, json.as_integer(id, "the id of " + content));
    token.content = content;
    out.added.push_back(std::move(token));
  }
}

template <class F>
void with_file(const std::string& folder, const char* name, F&& read) {
  const std::string path = (std::filesystem::path(folder) / name).string();
  if (!std::filesystem::exists(path)) return;
  const Value root = read_json_file(path, kConfigLimit);
  read(JsonFields(path), root);
}

}  // namespace

AddedToken parse_added_token(const JsonFields& json, const Value& entry, TokenId id) {
  AddedToken token;
  token.id = id;
  token.content = json.text(entry, "content");
  token.special = json.flag_or(entry, "special", false);
  token.normalized = json.flag_or(entry, "normalized", !token.special);
  token.single_word = json.flag_or(entry, "single_word", false);
  token.lstrip = json.flag_or(entry, "lstrip", false);
  token.rstrip = json.flag_or(entry, "rstrip", false);
  if (token.content.empty()) json.fail(entry, "an added token has no content");
  return token;
}

DeclaredTokens read_declared_tokens(const std::string& folder) {
  DeclaredTokens out;
  out.folder = folder;
  with_file(folder, "special_tokens_map.json",
            [&](const JsonFields& json, const Value& root) { read_names(json, root, out); });
  with_file(folder, "tokenizer_config.json", [&](const JsonFields& json, const Value& root) {
    read_names(json, root, out);  // wins over the older file
    read_added_decoder(json, root, out);
  });
  with_file(folder, "added_tokens.json",
            [&](const JsonFields& json, const Value& root) { read_added_map(json, root, out); });
  std::sort(out.added.begin(), out.added.end(), [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  return out;
}

SpecialTokens resolve_special(const DeclaredTokens& declared,
                              const std::function<std::optional<TokenId>(std::string_view)>& find) {
  const auto of = [&](const std::optional<std::string>& name, const char* key,
                      std::initializer_list<const char*> customary) -> std::optional<TokenId> {
    if (name) {
      if (const auto id = find(*name)) return id;
      throw Error(ErrorCode::data, declared.folder + ": " + key + " is \"" + *name +
                                       "\", which the vocabulary does not hold; add it to the tokenizer or correct "
                                       "tokenizer_config.json and special_tokens_map.json");
    }
    if (declared.any_file) return std::nullopt;
    for (const char* spelling : customary) {
      if (const auto id = find(spelling)) return id;
    }
    return std::nullopt;
  };
  SpecialTokens special;
  special.bos = of(declared.bos, "bos_token", {"<s>", "<|begin_of_text|>", "<bos>", "<|endoftext|>"});
  special.eos = of(declared.eos, "eos_token", {"</s>", "<|end_of_text|>", "<eos>", "<|endoftext|>"});
  special.pad = of(declared.pad, "pad_token", {"<pad>", "<|padding|>"});
  special.unk = of(declared.unk, "unk_token", {"<unk>"});
  return special;
}

std::vector<std::string> tokenizer_files(const std::string& folder, const std::string& main) {
  std::vector<std::string> names{main};
  for (const char* name :
       {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"}) {
    if (std::filesystem::exists(std::filesystem::path(folder) / name)) names.emplace_back(name);
  }
  return names;
}

}  // namespace plumb::tokenizers
