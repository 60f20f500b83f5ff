#include "model_file.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <unordered_set>

#include "plumb/error.h"
#include "plumb/json_fields.h"
#include "plumb/utf8.h"

namespace plumb::tokenizers {
namespace {

constexpr std::uint64_t kFileLimit = std::uint64_t{64} << 20;
constexpr std::size_t kPieceLimit = 1024;
constexpr std::size_t kPieceCount = std::size_t{1} << 24;

// The fields of one protobuf message. Every length is checked against what is left.
class Fields {
 public:
  Fields(std::string_view bytes, const std::string& origin) : bytes_(bytes), origin_(origin) {}

  // Moves to the next field; false at the end.
  bool next() {
    if (at_ == bytes_.size()) return false;
    const std::uint64_t key = varint();
    if (key >> 3 == 0 || key >> 3 > 0x1FFFFFFF) fail("has a field number out of range");
    number_ = static_cast<int>(key >> 3);
    wire_ = static_cast<int>(key & 7);
    switch (wire_) {
      case 0:
        value_ = varint();
        break;
      case 1:
        data_ = take(8);
        break;
      case 2:
        data_ = take(varint());
        break;
      case 5:
        data_ = take(4);
        break;
      default:
        fail("has a field of wire type " + std::to_string(wire_));
    }
    return true;
  }

  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] std::string_view bytes(const char* what) const {
    want(2, what);
    return data_;
  }
  [[nodiscard]] bool flag(const char* what) const {
    want(0, what);
    return value_ != 0;
  }
  [[nodiscard]] int integer(const char* what) const {
    want(0, what);
    return static_cast<int>(static_cast<std::int64_t>(value_));  // int32 is sign-extended to 64 bits
  }
  [[nodiscard]] float real(const char* what) const {
    want(5, what);
    std::uint32_t bits = 0;
    for (int i = 3; i >= 0; --i) bits = bits << 8 | static_cast<unsigned char>(data_[static_cast<std::size_t>(i)]);
    return std::bit_cast<float>(bits);
  }

  [[noreturn]] void fail(const std::string& why) const {
    throw Error(ErrorCode::data, origin_ + ": " + why + ", so it is no SentencePiece model");
  }

 private:
  void want(int wire, const char* what) const {
    if (wire_ != wire) fail(std::string("stores ") + what + " with wire type " + std::to_string(wire_));
  }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at_ == bytes_.size()) fail("ends inside a number");
      const auto byte = static_cast<unsigned char>(bytes_[at_++]);
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    fail("has a number of more than 64 bits");
  }

  std::string_view take(std::uint64_t size) {
    if (size > bytes_.size() - at_) {
      fail("claims " + std::to_string(size) + " bytes where " + std::to_string(bytes_.size() - at_) + " are left");
    }
    const std::string_view taken = bytes_.substr(at_, size);
    at_ += size;
    return taken;
  }

  std::string_view bytes_;
  const std::string& origin_;
  std::size_t at_ = 0;
  int number_ = 0, wire_ = 0;
  std::uint64_t value_ = 0;
  std::string_view data_;
};

Piece parse_piece(std::string_view bytes, const std::string& origin, std::size_t id) {
  Fields fields(bytes, origin);
  Piece piece;
  const auto fail = [&](const std::string& why) { fields.fail("piece " + std::to_string(id) + " " + why); };
  while (fields.next()) {
    switch (fields.number()) {
      case 1:
        piece.text = fields.bytes("a piece's text");
        break;
      case 2:
        piece.score = fields.real("a piece's score");
        break;
      case 3: {
        const int type = fields.integer("a piece's type");
        if (type < 1 || type > 6) fail("is of type " + std::to_string(type));
        piece.type = static_cast<PieceType>(type);
        break;
      }
      default:
        break;
    }
  }
  if (piece.text.empty()) fail("is empty");
  if (piece.text.size() > kPieceLimit) fail("has " + std::to_string(piece.text.size()) + " bytes, more than 1024");
  if (!is_utf8(piece.text)) fail("is not UTF-8");
  if (!std::isfinite(piece.score)) fail("has a score that is not finite");
  return piece;
}

void parse_trainer(std::string_view bytes, const std::string& origin, ModelFile& model) {
  Fields fields(bytes, origin);
  while (fields.next()) {
    switch (fields.number()) {
      case 3: {
        const int type = fields.integer("model_type");
        if (type != 1 && type != 2) {
          throw Error(ErrorCode::data, origin + ": model type " + std::to_string(type) +
                                           " is not supported; known are unigram (1) and BPE (2)");
        }
        model.type = static_cast<ModelType>(type);
        break;
      }
      case 24:
        if (fields.flag("treat_whitespace_as_suffix")) {
          throw Error(ErrorCode::data, origin + ": white space as a suffix is not supported");
        }
        break;
      case 35:
        model.byte_fallback = fields.flag("byte_fallback");
        break;
      case 40:
        model.unk_id = fields.integer("unk_id");
        break;
      case 41:
        model.bos_id = fields.integer("bos_id");
        break;
      case 42:
        model.eos_id = fields.integer("eos_id");
        break;
      case 43:
        model.pad_id = fields.integer("pad_id");
        break;
      case 44:
        model.unk_surface = fields.bytes("unk_surface");
        break;
      default:
        break;
    }
  }
}

void parse_normalizer(std::string_view bytes, const std::string& origin, ModelFile& model) {
  Fields fields(bytes, origin);
  while (fields.next()) {
    switch (fields.number()) {
      case 2:
        model.charsmap = fields.bytes("precompiled_charsmap");
        break;
      case 3:
        model.add_dummy_prefix = fields.flag("add_dummy_prefix");
        break;
      case 4:
        model.remove_extra_whitespaces = fields.flag("remove_extra_whitespaces");
        break;
      case 5:
        model.escape_whitespaces = fields.flag("escape_whitespaces");
        break;
      default:
        break;
    }
  }
}

void refuse_denormalizer(std::string_view bytes, const std::string& origin) {
  Fields fields(bytes, origin);
  while (fields.next()) {
    if (fields.number() == 2 && !fields.bytes("precompiled_charsmap").empty()) {
      throw Error(ErrorCode::data, origin + ": a denormaliser is not supported");
    }
  }
}

void check(ModelFile& model, const std::string& origin) {
  const auto fail = [&](const std::string& why) { throw Error(ErrorCode::data, origin + ": " + why); };
  if (model.pieces.empty()) fail("holds no pieces");
  std::unordered_set<std::string_view> texts;
  std::vector<bool> bytes(256);
  int unknown = -1;
  for (std::size_t id = 0; id < model.pieces.size(); ++id) {
    const Piece& piece = model.pieces[id];
    if (!texts.insert(piece.text).second) fail("piece \"" + piece.text + "\" appears twice");
    if (piece.type == PieceType::unknown) {
      if (unknown >= 0) fail("has more than one unknown piece");
      unknown = static_cast<int>(id);
    } else if (piece.type == PieceType::byte) {
      const int byte = byte_of_piece(piece.text);
      if (byte < 0) fail("byte piece \"" + piece.text + "\" is not spelt like <0x0A>");
      bytes[static_cast<std::size_t>(byte)] = true;
    }
  }
  if (unknown < 0) fail("has no unknown piece");
  model.unk_id = unknown;  // the piece's type decides, as in the library
  if (!model.byte_fallback) return;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    if (!bytes[byte]) fail("falls back to bytes, but has no piece for byte " + std::to_string(byte));
  }
}

}  // namespace

ModelFile parse_model_file(std::string_view bytes, const std::string& origin) {
  ModelFile model;
  Fields fields(bytes, origin);
  while (fields.next()) {
    switch (fields.number()) {
      case 1:
        if (model.pieces.size() == kPieceCount) fields.fail("has more than 16777216 pieces");
        model.pieces.push_back(parse_piece(fields.bytes("a piece"), origin, model.pieces.size()));
        break;
      case 2:
        parse_trainer(fields.bytes("trainer_spec"), origin, model);
        break;
      case 3:
        parse_normalizer(fields.bytes("normalizer_spec"), origin, model);
        break;
      case 5:
        refuse_denormalizer(fields.bytes("denormalizer_spec"), origin);
        break;
      default:
        break;
    }
  }
  check(model, origin);
  return model;
}

ModelFile read_model_file(const std::string& path) {
  return parse_model_file(read_text_file(path, kFileLimit), path);
}

int byte_of_piece(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return -1;
  const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; };
  const int high = digit(text[3]), low = digit(text[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

}  // namespace plumb::tokenizers
