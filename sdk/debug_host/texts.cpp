// Tokenizers, data sources, selection policies and stages.
#include "plumb/data_source.h"
#include "plumb/selection_policy.h"
#include "plumb/stage.h"
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

// What a stage asks of its run, while it runs.
class WatchedRun final : public StageRun {
 public:
  WatchedRun(StageRun& inner, const Watch& stage)
      : inner_(inner), calls_(part_of(stage, "run"), Violation::Fault::plugin, true) {}

  [[nodiscard]] std::vector<StageInput> inputs(std::string_view param) const override {
    const Watch::Call call(calls_, "inputs", Tag::lane);
    return inner_.inputs(param);
  }
  void read(const StageInput& input, const std::function<void(StageRow&&)>& row) override {
    { const Watch::Call call(calls_, "read", Tag::lane); }  // a row that is read may be written
    inner_.read(input, row);
  }
  [[nodiscard]] std::string output_type() const override {
    const Watch::Call call(calls_, "output_type", Tag::lane);
    return inner_.output_type();
  }
  void write(const StageRow& row) override {
    const Watch::Call call(calls_, "write", Tag::lane);
    inner_.write(row);
  }
  [[nodiscard]] std::size_t saved() const override {
    const Watch::Call call(calls_, "saved", Tag::lane);
    return inner_.saved();
  }
  void skip(std::size_t count) override {
    const Watch::Call call(calls_, "skip", Tag::lane);
    inner_.skip(count);
  }
  [[nodiscard]] std::size_t written() const override {
    const Watch::Call call(calls_, "written", Tag::lane);
    return inner_.written();
  }
  void checkpoint() override {
    const Watch::Call call(calls_, "checkpoint", Tag::lane);
    inner_.checkpoint();
  }
  [[nodiscard]] std::string work_folder() const override {
    const Watch::Call call(calls_, "work_folder", Tag::lane);
    return inner_.work_folder();
  }
  [[nodiscard]] Random random() const override {
    const Watch::Call call(calls_, "random", Tag::lane);
    return inner_.random();
  }
  void summarise(const std::string& key, const Value& value) override {
    const Watch::Call call(calls_, "summarise", Tag::lane);
    inner_.summarise(key, value);
  }
  void leave_out(const RowsLeftOut& rows) override {
    const Watch::Call call(calls_, "leave_out", Tag::lane);
    inner_.leave_out(rows);
  }

  void end() { calls_.ending(); }

 private:
  StageRun& inner_;
  mutable Watch calls_;
};

class WatchedStage final : public Watched<Stage> {
 public:
  using Watched::Watched;
  void run(StageRun& run) override {
    const Watch::Call call(watch(), "run", Tag::lane);
    const Lent<WatchedRun> lent(run, watch());
    inner().run(*lent);
  }
  [[nodiscard]] StageNeeds estimate(const StageFacts& facts) const override {
    const Watch::Call call(watch(), "estimate", Tag::any);
    return inner().estimate(facts);
  }
};

}  // namespace

std::unique_ptr<Component> watch_texts(const std::shared_ptr<Watch>& watch, std::unique_ptr<Component>& made) {
  const std::string& kind = watch->subject().info.kind;
  if (kind == Tokenizer::kind) return behind<WatchedTokenizer, Tokenizer>(watch, std::move(made));
  if (kind == DataSource::kind) return behind<WatchedSource, DataSource>(watch, std::move(made));
  if (kind == SelectionPolicy::kind) return behind<WatchedSelection, SelectionPolicy>(watch, std::move(made));
  if (kind == Stage::kind) return behind<WatchedStage, Stage>(watch, std::move(made));
  return nullptr;
}

}  // namespace plumb::debug_host
