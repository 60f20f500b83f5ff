// Components `mt-bench-questions` (FastChat's question.jsonl: the first turn is the prompt, all turns stay in `turns`)
// and `alpaca-eval-instructions` (any model's outputs file of AlpacaEval, whose output stays as `reference`).
#include "file_source.h"

namespace plumb::files {
namespace {

template <class Source>
Params<typename Source::Settings> only_files(const char* doc, const char* source) {
  Params<typename Source::Settings> p{doc, source};
  p.include(&Source::Settings::files, file_params());
  return p;
}

class MtBenchQuestions final : public FileSource {
 public:
  struct Settings {
    FileSettings files;
  };
  static Params<Settings> params() {
    return only_files<MtBenchQuestions>("questions of MT-Bench", "lm-sys/FastChat llm_judge");
  }
  MtBenchQuestions(const Settings& settings, Host& host) : FileSource(settings.files, host) {}

 private:
  void read(const Value& row, const JsonFields& json) override {
    const Value::List& turns = json.list(row, "turns");
    if (turns.empty()) json.fail(row, "`turns` holds no question");
    emit(Prompt{"mt-bench-" + std::to_string(json.integer(row, "question_id")),
                {{"user", json.as_text(turns[0], "a turn")}},
                row});
  }
};

class AlpacaEvalInstructions final : public FileSource {
 public:
  struct Settings {
    FileSettings files;
  };
  static Params<Settings> params() {
    return only_files<AlpacaEvalInstructions>("instructions of AlpacaEval", "tatsu-lab/alpaca_eval");
  }
  AlpacaEvalInstructions(const Settings& settings, Host& host) : FileSource(settings.files, host) {}

 private:
  void read(const Value& row, const JsonFields& json) override {
    Value extra =
        Value::map({{"dataset", json.text_or(row, "dataset", "")}, {"generator", json.text_or(row, "generator", "")}});
    if (json.find(row, "output") != nullptr) extra.set("reference", json.text(row, "output"));
    emit(Prompt{{}, {{"user", json.text(row, "instruction")}}, std::move(extra)});
  }
};

}  // namespace

void register_benchmark_prompts(Registrar& registrar) {
  registrar.add<MtBenchQuestions>("mt-bench-questions").yields({"prompts"});
  registrar.add<AlpacaEvalInstructions>("alpaca-eval-instructions").yields({"prompts"});
}

}  // namespace plumb::files
