#include <algorithm>
#include <filesystem>

#include "byte_bpe.h"
#include "plumb/byte_level.h"
#include "plumb/error.h"
#include "plumb/plugin.h"
#include "plumb/utf8.h"

namespace plumb::tokenizers {
namespace {

// What transformers makes of a byte-level pre-tokenizer's prefix space: tokenizer_config.json's word counts, and where
// it has none there is no space.
std::optional<bool> prefix_space(const DeclaredTokens& declared) {
  if (!declared.config_file || (declared.names_prefix_space && !declared.add_prefix_space)) return std::nullopt;
  return declared.add_prefix_space.value_or(false);
}

}  // namespace

Params<ByteBpe::Settings> ByteBpe::params() {
  Params<Settings> p{"byte-level BPE and the other models of a tokenizer.json", "Hugging Face tokenizers 0.23"};
  p.add(&Settings::path, "path", "a model folder with tokenizer.json, or such a file").path().required();
  return p;
}

ByteBpe::ByteBpe(const Settings& settings, Host& host) {
  std::filesystem::path file = std::filesystem::path(host.recipe_folder()) / settings.path;
  if (std::filesystem::is_directory(file)) file /= "tokenizer.json";
  folder_ = file.parent_path().string();
  file_ = file.filename().string();
  const DeclaredTokens declared = read_declared_tokens(folder_);
  json_ = read_tokenizer_json(file.string(), prefix_space(declared));
  json_.added = merge_added(
      std::move(json_.added), declared, json_.model->vocabulary().size(),
      [this](std::string_view piece) { return find(piece); }, file.string());
  name_pieces();
  find_added();
  special_ = resolve_special(declared, [this](std::string_view piece) { return find(piece); });
  if (!special_.unk) special_.unk = json_.model->unknown();
}

void ByteBpe::name_pieces() {
  std::size_t size = 0;
  for (const auto& [piece, id] : json_.model->vocabulary()) size = std::max(size, static_cast<std::size_t>(id) + 1);
  for (const AddedToken& token : json_.added) size = std::max(size, static_cast<std::size_t>(token.id) + 1);
  pieces_.resize(size);
  for (const auto& [piece, id] : json_.model->vocabulary()) pieces_[static_cast<std::size_t>(id)] = piece;
  for (const AddedToken& token : json_.added) {
    pieces_[static_cast<std::size_t>(token.id)] = token.content;
    added_ids_.emplace(token.content, token.id);
  }
}

// Special tokens first: of equal spellings theirs counts.
void ByteBpe::find_added() {
  for (const bool special : {true, false}) {
    for (const AddedToken& token : json_.added) {
      if (token.special != special) continue;
      std::string spelling = token.content;
      if (token.normalized) normalise(json_.normalizers, spelling, false);
      added_.add(token, spelling);
    }
  }
  added_.finish();
}

std::vector<TokenId> ByteBpe::encode(std::string_view text, bool continues) const {
  return encode_text(text, continues, false);
}

std::vector<TokenId> ByteBpe::encode_with_special(std::string_view text) const {
  return encode_text(text, false, true);
}

std::vector<TokenId> ByteBpe::encode_text(std::string_view text, bool continues, bool special) const {
  std::string valid;
  if (!is_utf8(text)) text = valid = lossy_utf8(text);
  try {
    return encode_valid(text, continues, special);
  } catch (const Error& error) {
    throw Error(error.code(), (std::filesystem::path(folder_) / file_).string() + ": " + error.what());
  }
}

std::vector<TokenId> ByteBpe::encode_valid(std::string_view text, bool continues, bool special) const {
  std::vector<TokenId> out;
  using Search = AddedTokens::Search;
  bool begins = true;
  for (const AddedTokens::Span& raw : added_.split(text, Search::raw, special)) {
    if (raw.id) {
      out.push_back(*raw.id);
    } else {
      std::string normal(raw.text);
      normalise(json_.normalizers, normal, begins && continues);
      for (const AddedTokens::Span& span : added_.split(normal, Search::normalised, special)) {
        if (span.id) {
          out.push_back(*span.id);
        } else {
          encode_plain(span.text, {begins, begins && continues}, out);
        }
        begins = false;
      }
    }
    begins = false;
  }
  return out;
}

void ByteBpe::encode_plain(std::string_view text, WordPlace place, std::vector<TokenId>& out) const {
  Words words;
  words.words.push_back(text);
  for (const SplitWords& step : json_.pre_tokenizer.steps) step(words, place);
  for (const std::string_view word : words.words) {
    if (cache_.find(word, out)) continue;
    const std::size_t before = out.size();
    json_.model->encode(json_.pre_tokenizer.byte_letters ? to_byte_letters(word) : std::string(word), out);
    cache_.remember(word, out.data() + before, out.data() + out.size());
  }
}

std::string ByteBpe::decode(std::span<const TokenId> ids, bool keep_special) const {
  std::vector<std::string> pieces;
  pieces.reserve(ids.size());
  for (const TokenId id : ids) {
    const AddedToken* token = added_.find(id);
    if (!known(id) || (token != nullptr && token->special && !keep_special)) continue;
    pieces.push_back(pieces_[static_cast<std::size_t>(id)]);
  }
  return lossy_utf8(json_.decoder.join(std::move(pieces)));
}

std::string ByteBpe::piece_bytes(TokenId id) const {
  if (!known(id)) return {};
  const std::string& piece = pieces_[static_cast<std::size_t>(id)];
  return added_.find(id) != nullptr ? piece : json_.decoder.bytes(piece);
}

std::optional<TokenId> ByteBpe::find(std::string_view piece) const {
  if (const auto added = added_ids_.find(piece); added != added_ids_.end()) return added->second;
  const Vocabulary& vocabulary = json_.model->vocabulary();
  const auto found = vocabulary.find(piece);
  return found == vocabulary.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::string> ByteBpe::files() const {
  return tokenizer_files(folder_, file_);
}

}  // namespace plumb::tokenizers

PLUMB_PLUGIN(registrar, "org.plumbline.byte-bpe", "1.0.0", "Apache-2.0",
             "tokenizers in tokenizer.json files" PLUMB_STATUS("stable")) {
  registrar.add<plumb::tokenizers::ByteBpe>("byte-bpe").claims({"tokenizer.json"});
}
