// Kind `tokenizer`: a byte-level BPE trained on texts, or one that exists.
#include "framework/core/catalogue/declared.h"
#include "framework/core/catalogue/settings.h"
#include "framework/core/recipe/checking.h"

namespace plumb {
namespace {

namespace type = artifact_type;

Declared<TokenizerSettings> declare_tokenizer() {
  Declared<TokenizerSettings> d{"train a byte-level BPE tokenizer, or take one that exists"};
  auto& p = d.params;
  p.add(&TokenizerSettings::data, "data", "text to learn the merges from")
      .accepts({type::texts, type::demonstrations, type::preferences});
  p.add(&TokenizerSettings::path, "path", "instead of data: a folder with the files of a tokenizer that a plugin reads")
      .path();
  p.add(&TokenizerSettings::vocabulary_size, "vocabulary_size",
        "tokens, with 256 bytes and the special tokens among them")
      .at_least(260)
      .at_most(1 << 20)
      .unit("tokens");
  d.rule([](const TokenizerSettings& s) -> std::string {
    if (s.data && s.path) return "path: give either data (to train one) or path (one that exists), not both";
    if (s.path && s.vocabulary_size != TokenizerSettings{}.vocabulary_size)
      return "vocabulary_size: has no effect beside path: a tokenizer that exists has its own";
    return s.data || s.path ? "" : "needs data (to train one) or path (the folder of one that exists)";
  });
  return d;
}

// The plugins that could read the files of one that exists.
void find_readers(Checking& c, StageSpec& stage) {
  const Value* folder = stage.params.find("path");
  std::error_code error;
  if (folder == nullptr || !folder->is_string() || !std::filesystem::exists(folder->as_string(), error)) return;
  find_tokenizer(c, stage, folder->as_string(), folder->mark, "path");
}

StageKind make_kind() {
  StageKind kind = declare_tokenizer().kind("tokenizer", type::tokenizer);
  kind.uses_seed = [](const Value&) { return false; };
  kind.find_components = find_readers;
  return kind;
}

const KindRegistration registered(40, make_kind);

}  // namespace

Params<TokenizerSettings> tokenizer_params() {
  return declare_tokenizer().with_rules();
}

}  // namespace plumb
