// Tokenizers, data sources and selection policies.
#include "plumb/data_source.h"
#include "plumb/selection_policy.h"
#include "plumb/tokenizer.h"
#include "sdk/debug_host/watch.h"

namespace plumb::debug_host {
namespace {

class WatchedTokenizer final : public Watched<Tokenizer> {
 public:
  using Watched::Watched;
  [[nodiscard]] std::vector<TokenId> encode(std::string_view text, bool continues) const override {
    const Watch::Call call(watch(), "encode", Tag::any);
    return checked(inner().encode(text, continues), "encode");
  }
  [[nodiscard]] std::vector<TokenId> encode_with_special(std::string_view text) const override {
    const Watch::Call call(watch(), "encode_with_special", Tag::any);
    return checked(inner().encode_with_special(text), "encode_with_special");
  }
  [[nodiscard]] std::string decode(std::span<const TokenId> ids, bool keep_special) const override {
    const Watch::Call call(watch(), "decode", Tag::any);
    return inner().decode(ids, keep_special);
  }
  [[nodiscard]] std::string piece_bytes(TokenId id) const override {
    const Watch::Call call(watch(), "piece_bytes", Tag::any);
    return inner().piece_bytes(id);
  }
  [[nodiscard]] std::optional<TokenId> find(std::string_view piece) const override {
    const Watch::Call call(watch(), "find", Tag::any);
    return inner().find(piece);
  }
  [[nodiscard]] std::size_t vocabulary_size() const override {
    const Watch::Call call(watch(), "vocabulary_size", Tag::any);
    return inner().vocabulary_size();
  }
  [[nodiscard]] SpecialTokens special() const override {
    const Watch::Call call(watch(), "special", Tag::any);
    return inner().special();
  }
  [[nodiscard]] std::vector<std::string> files() const override {
    const Watch::Call call(watch(), "files", Tag::any);
    return inner().files();
  }

 private:
  [[nodiscard]] std::vector<TokenId> checked(std::vector<TokenId> ids, const char* method) const {
    const auto size = static_cast<TokenId>(inner().vocabulary_size());
    for (const TokenId id : ids) {
      watch().require(id >= 0 && id < size, method, "ids from 0 to " + std::to_string(size - 1),
                      "the id " + std::to_string(id));
    }
    return ids;
  }
};

class WatchedSource final : public Watched<DataSource> {
 public:
  using Watched::Watched;
  std::optional<Record> next() override {
    const Watch::Call call(watch(), "next", Tag::lane);
    return inner().next();
  }
  [[nodiscard]] std::map<std::string, std::size_t> skipped() const override {
    const Watch::Call call(watch(), "skipped", Tag::lane);
    return inner().skipped();
  }
  [[nodiscard]] std::vector<std::string> files() const override {
    const Watch::Call call(watch(), "files", Tag::setup);
    return inner().files();
  }
};

class WatchedSelection final : public Watched<SelectionPolicy> {
 public:
  using Watched::Watched;
  [[nodiscard]] Selection select(const ResponseGroup& group, Random random) const override {
    const Watch::Call call(watch(), "select", Tag::any);
    return inner().select(group, random);
  }
  [[nodiscard]] std::optional<double> threshold() const override {
    const Watch::Call call(watch(), "threshold", Tag::any);
    return inner().threshold();
  }
};

}  // namespace

std::unique_ptr<Component> watch_texts(const std::shared_ptr<Watch>& watch, std::unique_ptr<Component>& made) {
  const std::string& kind = watch->subject().info.kind;
  if (kind == Tokenizer::kind) return behind<WatchedTokenizer, Tokenizer>(watch, std::move(made));
  if (kind == DataSource::kind) return behind<WatchedSource, DataSource>(watch, std::move(made));
  if (kind == SelectionPolicy::kind) return behind<WatchedSelection, SelectionPolicy>(watch, std::move(made));
  return nullptr;
}

}  // namespace plumb::debug_host
