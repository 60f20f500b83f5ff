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
  legacy_ = declared.legacy.value_or(true);
  prefix_ = model_.add_dummy_prefix && declared.add_prefix_space.value_or(true);
  index_pieces();
  normalizer_ = std::make_unique<SpmNormalizer>(model_, user_defined_, file.string());
  segmenter_ = model_.type == ModelType::bpe ? make_bpe(model_, user_defined_) : make_unigram(model_);
  read_added(declared, file.string());
  special_ = read_special(declared);
}

void SentencePiece::index_pieces() {
  std::vector<PrefixIndex::Item> user_defined;
  for (std::size_t i = 0; i < model_.pieces.size(); ++i) {
    const Piece& piece = model_.pieces[i];
    const auto id = static_cast<TokenId>(i);
    ids_.emplace(piece.text, id);
    if (piece.type == PieceType::user_defined) user_defined.emplace_back(piece.text, id);
    if (piece.type == PieceType::byte) bytes_[static_cast<std::size_t>(byte_of_piece(piece.text))] = id;
  }
  user_defined_ = PrefixIndex(std::move(user_defined));
}

// The model's control and unknown pieces are special tokens; the folder's files add others or give these their flags.
void SentencePiece::read_added(const DeclaredTokens& declared, const std::string& file) {
  std::vector<AddedToken> own;
  for (std::size_t i = 0; i < model_.pieces.size(); ++i) {
    const Piece& piece = model_.pieces[i];
    if (piece.type != PieceType::control && piece.type != PieceType::unknown) continue;
    own.push_back({.id = static_cast<TokenId>(i), .content = piece.text, .special = true});
  }
  const auto all = merge_added(
      std::move(own), declared, model_.pieces.size(), [this](std::string_view piece) { return find(piece); }, file);
  for (const bool special : {true, false}) {
    for (const AddedToken& token : all) {
      if (token.special != special) continue;
      const bool normal = token.normalized && legacy_;
      added_.add(token, normal ? normalizer_->normalize(token.content, !prefix_) : token.content);
    }
  }
  added_.finish();
  for (const AddedToken& token : all) {
    if (is_model_piece(token.id)) continue;
    after_model_.push_back(token.content);  // their ids have no gap: merge_added has seen to it
    ids_.emplace(token.content, token.id);
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
  return encode_text(text, continues, false);
}

std::vector<TokenId> SentencePiece::encode_with_special(std::string_view text) const {
  return encode_text(text, false, true);
}

// Added tokens are looked for as Hugging Face's conversion of the model does: in the text, then in what the normaliser
// makes of the stretches between them. With `legacy: false` there is no normaliser for these.
std::vector<TokenId> SentencePiece::encode_text(std::string_view text, bool continues, bool special) const {
  using Search = AddedTokens::Search;
  std::vector<TokenId> out;
  bool begins = true;
  for (const AddedTokens::Span& span : added_.split(text, Search::raw, special)) {
    if (span.id) {
      out.push_back(*span.id);
    } else {
      append_raw(span.text, begins, continues, special, out);
    }
    begins = false;
  }
  return out;
}

void SentencePiece::append_raw(std::string_view text, bool begins, bool continues, bool special,
                               std::vector<TokenId>& out) const {
  using Search = AddedTokens::Search;
  if (legacy_) {
    const std::string normal = normalizer_->normalize(text, !prefix_ || (begins && continues));
    for (const AddedTokens::Span& span : added_.split(normal, Search::normalised, special)) {
      span.id ? out.push_back(*span.id) : append_segments(span.text, out);
    }
    return;
  }
  for (const AddedTokens::Span& span : added_.split(text, Search::normalised, special)) {
    const bool marked = span.text.starts_with(' ') || span.text.starts_with(kSpaceMark);
    const bool prefix = prefix_ && begins && !continues && !marked;
    span.id ? out.push_back(*span.id) : append_segments(normalizer_->normalize(span.text, !prefix), out);
    begins = false;
  }
}

void SentencePiece::append_segments(std::string_view normal, std::vector<TokenId>& out) const {
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

std::string SentencePiece::decode(std::span<const TokenId> ids, bool keep_special) const {
  std::string text, run;                                    // run: bytes of byte pieces
  bool trims = prefix_ || model_.remove_extra_whitespaces;  // until the text has begun
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
    const AddedToken* token = added_.find(id);
    if (!is_model_piece(id)) {
      if (token != nullptr && (keep_special || !token->special)) text += token->content;
      continue;
    }
    const Piece& piece = model_.pieces[static_cast<std::size_t>(id)];
    std::string_view spelling = piece.text;
    if (piece.type == PieceType::control || (token != nullptr && token->special && piece.type != PieceType::unknown)) {
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
    const AddedToken* token = added_.find(id);
    return token == nullptr ? std::string() : token->content;
  }
  const Piece& piece = model_.pieces[static_cast<std::size_t>(id)];
  if (piece.type == PieceType::byte) return {static_cast<char>(byte_of_piece(piece.text))};
  if (piece.type == PieceType::control || piece.type == PieceType::unknown) return piece.text;
  return with_spaces(piece.text);
}

std::optional<TokenId> SentencePiece::find(std::string_view piece) const {
  const auto found = ids_.find(std::string(piece));
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::string> SentencePiece::files() const {
  return tokenizer_files(folder_, file_);
}

}  // namespace plumb::tokenizers

PLUMB_PLUGIN(registrar, "org.plumbline.sentencepiece", "1.0.0", "Apache-2.0",
             "tokenizers in SentencePiece models" PLUMB_STATUS("stable")) {
  registrar.add<plumb::tokenizers::SentencePiece>("sentencepiece").claims({"tokenizer.model"});
}
