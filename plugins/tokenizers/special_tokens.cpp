#include "special_tokens.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <unordered_map>

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
  const Value* more = json.find(root, "additional_special_tokens");
  if (more == nullptr || !more->is_list()) return;
  for (const Value& token : more->as_list()) {
    out.additional.push_back(token.is_map() ? json.text(token, "content") : json.as_text(token, "a special token"));
  }
}

std::optional<bool> flag(const JsonFields& json, const Value& root, const char* key) {
  return json.find(root, key) == nullptr ? std::nullopt : std::optional(json.flag_or(root, key, false));
}

void read_config(const JsonFields& json, const Value& root, DeclaredTokens& out) {
  out.config_file = true;
  out.legacy = flag(json, root, "legacy");
  out.add_prefix_space = flag(json, root, "add_prefix_space");
  out.names_prefix_space = root.find("add_prefix_space") != nullptr;
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

// Of folders from before added_tokens_decoder.
void read_added_map(const JsonFields& json, const Value& root, DeclaredTokens& out) {
  if (!out.added.empty()) return;
  for (const auto& [content, id] : json.as_map(root, "the file")) {
    AddedToken token;
    token.id = checked_id(json, id, json.as_integer(id, "the id of " + content));
    token.content = content;
    if (content.empty()) json.fail(id, "an added token has no content");
    token.special = out.is_special(content);
    token.normalized = !token.special;
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

bool DeclaredTokens::is_special(std::string_view content) const {
  for (const auto& name : {bos, eos, pad, unk}) {
    if (name == content) return true;
  }
  return std::find(additional.begin(), additional.end(), content) != additional.end();
}

TokenId next_added_id(std::size_t vocabulary, TokenId largest) {
  const auto first = static_cast<TokenId>(vocabulary);
  return largest >= first ? largest + 1 : first;
}

std::vector<AddedToken> merge_added(std::vector<AddedToken> added, const DeclaredTokens& declared,
                                    std::size_t vocabulary,
                                    const std::function<std::optional<TokenId>(std::string_view)>& find,
                                    const std::string& file) {
  std::unordered_map<std::string, std::size_t> known;
  std::vector<AddedToken> out;
  TokenId largest = -1;
  const auto put = [&](AddedToken token) {
    token.special = token.special || declared.is_special(token.content);
    const auto [place, fresh] = known.try_emplace(token.content, out.size());
    const TokenId id = fresh ? find(token.content).value_or(next_added_id(vocabulary, largest)) : out[place->second].id;
    if (token.id != id) {
      throw Error(ErrorCode::data, file + ": the added token \"" + token.content + "\" has id " +
                                       std::to_string(token.id) + ", but " +
                                       (find(token.content) ? "the vocabulary gives it " : "the next free one is ") +
                                       std::to_string(id));
    }
    largest = std::max(largest, id);
    if (fresh) {
      out.push_back(std::move(token));
    } else {
      token.special = token.special || out[place->second].special;
      out[place->second] = std::move(token);
    }
  };
  for (AddedToken& token : added) put(std::move(token));
  for (const AddedToken& token : declared.added) put(token);
  std::vector<std::string> names = declared.additional;
  for (const auto& name : {declared.bos, declared.eos, declared.unk, declared.pad}) {
    if (name) names.push_back(*name);
  }
  for (const std::string& name : names) {
    const auto id = find(name);
    if (id && !name.empty() && !known.contains(name)) put({.id = *id, .content = name, .special = true});
  }
  return out;
}

DeclaredTokens read_declared_tokens(const std::string& folder) {
  DeclaredTokens out;
  out.folder = folder;
  with_file(folder, "special_tokens_map.json",
            [&](const JsonFields& json, const Value& root) { read_names(json, root, out); });
  with_file(folder, "tokenizer_config.json", [&](const JsonFields& json, const Value& root) {
    read_names(json, root, out);  // wins over the older file
    read_added_decoder(json, root, out);
    read_config(json, root, out);
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
       {"tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
        "chat_template.jinja", "chat_template.json", "vocab.json", "merges.txt", "vocab.txt"}) {
    if (name != main && std::filesystem::exists(std::filesystem::path(folder) / name)) names.emplace_back(name);
  }
  return names;
}

}  // namespace plumb::tokenizers
