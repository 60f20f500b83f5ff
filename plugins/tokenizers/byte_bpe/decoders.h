// The `decoder` of a tokenizer.json: how the pieces of ids become text again.
// Known: ByteLevel ByteFallback Fuse Strip Replace Metaspace Sequence.
// Thread contract: const methods are [any].
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "plumb/json_fields.h"

namespace plumb::tokenizers {

class Decoder {
 public:
  static Decoder parse(const JsonFields& json, const Value* step);

  // Text of the pieces. Without a decoder they are joined by spaces, as HF does.
  [[nodiscard]] std::string join(std::vector<std::string> pieces) const;
  // Bytes of one piece in the middle of a text.
  [[nodiscard]] std::string bytes(const std::string& piece) const;

 private:
  using Step = std::function<void(std::vector<std::string>& pieces, std::size_t room)>;  // room: for all together
  void append(const JsonFields& json, const Value& step, int depth);

  std::vector<Step> steps_;
  bool present_ = false;
  bool byte_level_ = false, byte_fallback_ = false;
  std::vector<std::pair<std::string, std::string>> replacements_;
};

}  // namespace plumb::tokenizers
