// A SentencePiece model (sentencepiece_model.proto), read and checked without a protobuf library.
//
//   const ModelFile model = read_model_file("tokenizer.model");     // Error(data) for anything malformed
//
// Thread contract: [setup]; the result is constant.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace plumb::tokenizers {

enum class PieceType { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

struct Piece {
  std::string text;
  float score = 0;
  PieceType type = PieceType::normal;
};

enum class ModelType { unigram = 1, bpe = 2 };

// Defaults are the proto's.
struct ModelFile {
  std::vector<Piece> pieces;  // by id
  ModelType type = ModelType::unigram;
  bool byte_fallback = false;
  int unk_id = 0, bos_id = 1, eos_id = 2, pad_id = -1;
  std::string unk_surface = " \u2047 ";  // what an unknown piece decodes to
  bool add_dummy_prefix = true, remove_extra_whitespaces = true, escape_whitespaces = true;
  std::string charsmap;  // precompiled normalisation rules; charsmap.h checks them
};

// Refused: lengths that leave the file, a piece that is empty, longer than 1024 bytes, not UTF-8 or there twice, a
// score that is not finite, no or several unknown pieces, byte fallback without all 256 byte pieces, more than 2^24
// pieces or 64 MiB, the model types WORD and CHAR, white space as suffix, a denormaliser.
ModelFile parse_model_file(std::string_view bytes, const std::string& origin);
ModelFile read_model_file(const std::string& path);

// The value of a byte piece, "<0x0A>", or -1.
int byte_of_piece(std::string_view text);

}  // namespace plumb::tokenizers
