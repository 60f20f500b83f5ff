#include "sentencepiece.h"

#include <filesystem>

#include "plumb/error.h"
#include "plumb/plugin.h"
#include "plumb/utf8.h"

namespace plumb::tokenizers {
namespace {

std::string with_spaces(std::string_view piece) {
  std::string out;
  for (std::size_t at = 0; at < piece.size();) {
    const bool mark = piece.substr(at).starts_with(kSpaceMark);
    out += mark ? ' ' : piece[at];
    at += mark ? kSpaceMark.size() : 1;
  }
  return out;
}

// The characters of a run of byte pieces; a byte that is part of none becomes U+FFFD.
void append_bytes(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    const Character c = first_character(bytes);
    const std::size_t size = c.valid ? c.size : 1;
    out += c.valid ? bytes.substr(0, size) : std::string_view("\uFFFD");
    bytes.remove_prefix(size);
  }
}

}  // namespace

Params<SentencePiece::Settings> SentencePiece::params() {
  Params<Settings> p{"SentencePiece models", "google/sentencepiece 0.2"};
  p.add(&Settings::path, "path", "a model folder with tokenizer.model, or such a file").path().required();
  return p;
}

SentencePiece::SentencePiece(const Settings& settings, Host& host) {
  std::filesystem::path file = std::filesystem::path(host.recipe_folder()) / settings.path;
  if (std::filesystem::is_directory(file)) file /= "tokenizer.model";
  folder_ = file.parent_path().string();
  file_ = file.filename().string();
  model_ = read_model_file(file.string());
  const DeclaredTokens declared = read_declared_tokens(folder_);
  read_added(declared);

  std::vector<PrefixIndex::Item> user_defined, spellings;
  for (std::size_t i = 0; i < model_.pieces.size(); ++i) {
    const Piece& piece = model_.pieces[i];
    const auto id = static_cast<TokenId>(i);
    ids_.emplace(piece.text, id);
    if (piece.type == PieceType::user_defined) user_defined.emplace_back(piece.text, id);
    if (piece.type == PieceType::control || piece.type == PieceType::unknown) spellings.emplace_back(piece.text, id);
    if (piece.type == PieceType::byte) bytes_[static_cast<std::size_t>(byte_of_piece(piece.text))] = id;
  }
  for (const AddedToken& token : added_) {
    ids_.emplace(token.content, token.id);
    spellings.emplace_back(token.content, token.id);
  }
  user_defined_ = PrefixIndex(std::move(user_defined));
  spellings_ = PrefixIndex(std::move(spellings));
  normalizer_ = std::make_unique<SpmNormalizer>(model_, user_defined_, file.string());
  segmenter_ = model_.type == ModelType::bpe ? make_bpe(model_, user_defined_) : make_unigram(model_);
  special_ = read_special(declared);
}

// Tokens after the model's own, in order and without a gap; those that name a piece of the model add nothing.
void SentencePiece::read_added(const DeclaredTokens& declared) {
  for (const AddedToken& token : declared.added) {
    if (is_model_piece(token.id)) {
      const std::string& piece = model_.pieces[static_cast<std::size_t>(token.id)].text;
      if (piece == token.content) continue;
      throw Error(ErrorCode::data, folder_ + ": the added token \"" + token.content + "\" has id " +
                                       std::to_string(token.id) + ", which is \"" + piece + "\" in " + file_);
    }
    if (static_cast<std::size_t>(token.id) != vocabulary_size()) {
      throw Error(ErrorCode::data, folder_ + ": the added token \"" + token.content + "\" has id " +
                                       std::to_string(token.id) + "; the next free one is " +
                                       std::to_string(vocabulary_size()));
    }
    added_.push_back(token);
  }
}

SpecialTokens SentencePiece::read_special(const DeclaredTokens& declared) const {
  if (declared.any_file) return resolve_special(declared, [this](std::string_view piece) { return find(piece); });
  const auto control = [this](int id) -> std::optional<TokenId> {
    return is_model_piece(id) && model_.pieces[static_cast<std::size_t>(id)].type == PieceType::control
               ? std::optional<TokenId>(id)
               : std::nullopt;
  };
  return {control(model_.bos_id), control(model_.eos_id), control(model_.pad_id), model_.unk_id};
}

std::vector<TokenId> SentencePiece::encode(std::string_view text, bool continues) const {
  std::vector<TokenId> out;
  append(text, continues, out);
  return out;
}

void SentencePiece::append(std::string_view text, bool continues, std::vector<TokenId>& out) const {
  const std::string normal = normalizer_->normalize(text, continues);
  bool after_unknown = false;
  for (const Segment& segment : segmenter_->segment(normal)) {
    const bool unknown = segment.id == model_.unk_id;
    if (unknown && model_.byte_fallback) {
      for (const char c : segment.text) out.push_back(bytes_[static_cast<unsigned char>(c)]);
    } else if (!unknown || !after_unknown) {  // a run of unknown characters is one token
      out.push_back(segment.id);
    }
    after_unknown = unknown;
  }
}

// Each stretch of text between special tokens is encoded by itself, with its dummy prefix, as HF's Llama tokenizers do.
std::vector<TokenId> SentencePiece::encode_with_special(std::string_view text) const {
  std::vector<TokenId> out;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = spellings_.longest(text.substr(at));
    if (size == 0) {
      ++at;
      continue;
    }
    if (at > begin) append(text.substr(begin, at - begin), false, out);
    out.push_back(*find(text.substr(at, size)));
    begin = at += size;
  }
  if (begin < text.size()) append(text.substr(begin), false, out);
  return out;
}

std::string SentencePiece::decode(std::span<const TokenId> ids, bool keep_special) const {
  std::string text, run;                                                    // run: bytes of byte pieces
  bool trims = model_.add_dummy_prefix || model_.remove_extra_whitespaces;  // until the text has begun
  bool mark_seen = false;
  for (const TokenId id : ids) {
    if (is_model_piece(id) && model_.pieces[static_cast<std::size_t>(id)].type == PieceType::byte) {
      run.push_back(static_cast<char>(byte_of_piece(model_.pieces[static_cast<std::size_t>(id)].text)));
      continue;
    }
    append_bytes(run, text);
    run.clear();
    if (mark_seen || !text.empty()) trims = false;
    mark_seen = false;
    if (!is_model_piece(id)) {
      const AddedToken* token = added(id);
      if (token != nullptr && (keep_special || !token->special)) text += token->content;
      continue;
    }
    const Piece& piece = model_.pieces[static_cast<std::size_t>(id)];
    std::string_view spelling = piece.text;
    if (piece.type == PieceType::control) {
      if (keep_special) text += spelling;
    } else if (piece.type == PieceType::unknown) {
      text += keep_special ? spelling : std::string_view(model_.unk_surface);
    } else {
      if (trims && spelling.starts_with(kSpaceMark)) {
        spelling.remove_prefix(kSpaceMark.size());
        mark_seen = !model_.remove_extra_whitespaces;
      }
      text += with_spaces(spelling);
    }
  }
  append_bytes(run, text);
  return text;
}

std::string SentencePiece::piece_bytes(TokenId id) const {
  if (!is_model_piece(id)) {
    const AddedToken* token = added(id);
    return token == nullptr ? std::string() : token->content;
  }
  const Piece& piece = model_.pieces[static_cast<std::size_t>(id)];
  if (piece.type == PieceType::byte) return {static_cast<char>(byte_of_piece(piece.text))};
  if (piece.type == PieceType::control || piece.type == PieceType::unknown) return piece.text;
  return with_spaces(piece.text);
}

const AddedToken* SentencePiece::added(TokenId id) const {
  const auto index = static_cast<std::size_t>(id) - model_.pieces.size();
  return id >= 0 && index < added_.size() ? &added_[index] : nullptr;
}

std::optional<TokenId> SentencePiece::find(std::string_view piece) const {
  const auto found = ids_.find(piece);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::string> SentencePiece::files() const {
  return tokenizer_files(folder_, file_);
}

}  // namespace plumb::tokenizers

PLUMB_PLUGIN(registrar, "org.plumbline.sentencepiece", "1.0.0", "Apache-2.0", "tokenizers in SentencePiece models") {
  registrar.add<plumb::tokenizers::SentencePiece>("sentencepiece").claims({"tokenizer.model"});
}
