#include "decoders.h"

#include <charconv>
#include <optional>

#include "plumb/byte_level.h"
#include "plumb/error.h"
#include "plumb/utf8.h"

namespace plumb::tokenizers {
namespace {

using Pieces = std::vector<std::string>;

// How far decoding may make pieces grow: a file of a few kilobytes could otherwise fill the memory.
std::size_t room_for(std::size_t size) {
  return size * 64 + (1 << 20);
}

void check_size(std::size_t size, std::size_t room) {
  if (size > room)
    throw Error(ErrorCode::data, "the decoder makes a text grow to more than " + std::to_string(room) + " bytes");
}

std::string replaced(const std::string& text, const std::string& from, const std::string& to, std::size_t room) {
  std::string out;
  std::size_t begin = 0;
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, begin)) {
    check_size(out.size() + (at - begin) + to.size(), room);
    out.append(text, begin, at - begin).append(to);
    begin = at + from.size();
  }
  return out.append(text, begin);
}

void replace_in(Pieces& pieces, const std::string& from, const std::string& to, std::size_t room) {
  std::size_t size = 0;
  for (std::string& piece : pieces) {
    piece = replaced(piece, from, to, room);
    size += piece.size();
    check_size(size, room);
  }
}

// "<0x0A>" is the byte 10.
std::optional<char> byte_piece(const std::string& piece) {
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece.back() != '>') return std::nullopt;
  unsigned value = 0;
  const char* digits = piece.data() + 3;
  const auto [end, error] = std::from_chars(digits, digits + 2, value, 16);
  if (error != std::errc() || end != digits + 2) return std::nullopt;
  return static_cast<char>(static_cast<unsigned char>(value));
}

// Bytes of a piece spelt in the alphabet of byte-level BPE; any other piece, an added token, as it is.
std::string letter_bytes(const std::string& piece) {
  std::string out;
  for (std::string_view rest = piece; !rest.empty();) {
    const Character c = first_character(rest);
    const auto byte = byte_of_letter(c.code);
    if (!byte) return piece;
    out.push_back(static_cast<char>(*byte));
    rest.remove_prefix(c.size);
  }
  return out;
}

void join_letters(Pieces& pieces, std::size_t) {
  std::string bytes;
  for (const std::string& piece : pieces) bytes += letter_bytes(piece);
  pieces = {lossy_utf8(bytes)};
}

// A run of byte pieces becomes its characters, or one U+FFFD for each byte when it is not UTF-8 as a whole.
void join_bytes(Pieces& pieces, std::size_t) {
  Pieces out;
  std::string run;
  const auto flush = [&] {
    if (run.empty()) return;
    if (is_utf8(run)) {
      out.push_back(run);
    } else {
      out.insert(out.end(), run.size(), "\uFFFD");
    }
    run.clear();
  };
  for (std::string& piece : pieces) {
    if (const auto byte = byte_piece(piece)) {
      run.push_back(*byte);
      continue;
    }
    flush();
    out.push_back(std::move(piece));
  }
  flush();
  pieces = std::move(out);
}

void fuse(Pieces& pieces, std::size_t) {
  std::string all;
  for (const std::string& piece : pieces) all += piece;
  pieces = {std::move(all)};
}

// Takes up to `start` and `stop` copies of one character off each piece's ends.
void strip_ends(Pieces& pieces, const std::string& character, std::int64_t start, std::int64_t stop) {
  for (std::string& piece : pieces) {
    std::string_view rest = piece;
    for (std::int64_t i = 0; i < start && rest.starts_with(character); ++i) rest.remove_prefix(character.size());
    for (std::int64_t i = 0; i < stop && rest.ends_with(character); ++i) rest.remove_suffix(character.size());
    piece = std::string(rest);
  }
}

}  // namespace

void Decoder::append(const JsonFields& json, const Value& step, int depth) {
  if (depth > 8) json.fail(step, "decoders are nested more than 8 deep");
  if (steps_.size() >= 64) json.fail(step, "there are more than 64 decoders");
  const std::string& type = json.text(step, "type");
  if (type == "Sequence") {
    for (const Value& inner : json.list(step, "decoders")) append(json, inner, depth + 1);
  } else if (type == "ByteLevel") {
    byte_level_ = true;
    steps_.push_back(join_letters);
  } else if (type == "ByteFallback") {
    byte_fallback_ = true;
    steps_.push_back(join_bytes);
  } else if (type == "Fuse") {
    steps_.push_back(fuse);
  } else if (type == "Strip") {
    const std::string character = json.text(step, "content");
    const std::int64_t start = json.integer(step, "start"), stop = json.integer(step, "stop");
    if (character.empty()) json.fail(step, "key `content` is empty");
    steps_.push_back([=](Pieces& pieces, std::size_t) { strip_ends(pieces, character, start, stop); });
  } else if (type == "Replace") {
    const std::string from = json.text(json.need(step, "pattern"), "String"), to = json.text(step, "content");
    if (from.empty()) json.fail(step, "the text to replace is empty");
    replacements_.emplace_back(from, to);
    steps_.push_back([=](Pieces& pieces, std::size_t room) { replace_in(pieces, from, to, room); });
  } else if (type == "Metaspace") {
    const std::string mark = json.text_or(step, "replacement", "\u2581");
    const bool prefix = json.flag_or(step, "add_prefix_space", true);
    const bool drops = json.text_or(step, "prepend_scheme", prefix ? "always" : "never") != "never";
    replacements_.emplace_back(mark, " ");
    steps_.push_back([=](Pieces& pieces, std::size_t room) {
      for (std::size_t i = 0; i < pieces.size(); ++i) {
        pieces[i] = replaced(pieces[i], mark, i == 0 && drops ? "" : " ", room);
      }
    });
  } else {
    json.fail(step,
              "decoder " + type +
                  " is not supported; known are ByteLevel, ByteFallback, Fuse, Strip, Replace, Metaspace, Sequence");
  }
}

Decoder Decoder::parse(const JsonFields& json, const Value* step) {
  Decoder out;
  out.present_ = step != nullptr;
  if (step != nullptr) out.append(json, *step, 0);
  return out;
}

std::string Decoder::join(std::vector<std::string> pieces) const {
  std::size_t size = 0;
  for (const std::string& piece : pieces) size += piece.size();
  for (const Step& step : steps_) step(pieces, room_for(size));
  std::string text;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (!present_ && i > 0) text += ' ';
    text += pieces[i];
  }
  return text;
}

std::string Decoder::bytes(const std::string& piece) const {
  if (byte_level_) return letter_bytes(piece);
  if (byte_fallback_) {
    if (const auto byte = byte_piece(piece)) return {*byte};
  }
  std::string text = piece;
  for (const auto& [from, to] : replacements_) text = replaced(text, from, to, room_for(piece.size()));
  return text;
}

}  // namespace plumb::tokenizers
