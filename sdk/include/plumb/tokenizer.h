// A tokenizer turns text into token ids and back. It knows nothing of chat formats: BOS, EOS and templates belong to
// the framework (data/chat_format.h), so that exactly one place adds them.
//
//   registrar.add<ByteBpe>("byte-bpe").claims({"tokenizer.json"});   // the files that it recognises in a model folder
//
// Its settings must include `path`, the model folder.
// Thread contract: const methods are [any].
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plumb/component.h"
#include "plumb/host.h"
#include "plumb/params.h"
#include "plumb/records.h"

namespace plumb {
inline namespace v1 {

struct SpecialTokens {
  std::optional<TokenId> bos, eos, pad, unk;
};

class Tokenizer : public Component {
 public:
  static constexpr const char* kind = "tokenizer/1";
  ~Tokenizer() override;

  // [any] Ids of plain text. No special token is added, and none is recognised in the text: "</s>" typed by a user is
  // five characters, not EOS. `continues` says that the text goes on after other text, so that a tokenizer with a dummy
  // prefix space (SentencePiece) leaves it out.
  [[nodiscard]] virtual std::vector<TokenId> encode(std::string_view text, bool continues = false) const = 0;

  // [any] As encode, but the special tokens' own spellings in the text become their ids (HF's
  // split_special_tokens=False).
  [[nodiscard]] virtual std::vector<TokenId> encode_with_special(std::string_view text) const = 0;

  // [any] Text of ids; invalid UTF-8 becomes U+FFFD. Special tokens are left out unless asked for.
  [[nodiscard]] virtual std::string decode(std::span<const TokenId> ids, bool keep_special = false) const = 0;

  // [any] Raw bytes of one token, for streaming: may be part of a character.
  [[nodiscard]] virtual std::string piece_bytes(TokenId id) const = 0;

  [[nodiscard]] virtual std::optional<TokenId> find(std::string_view piece) const = 0;
  [[nodiscard]] virtual std::size_t vocabulary_size() const = 0;  // including added tokens
  [[nodiscard]] virtual SpecialTokens special() const = 0;

  // [any] Names of the files in its folder that make it up; they are copied into every model trained with it.
  [[nodiscard]] virtual std::vector<std::string> files() const = 0;
};

}  // namespace v1
}  // namespace plumb
