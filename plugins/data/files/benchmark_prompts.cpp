// Components `mt-bench-questions` (FastChat's question.jsonl: the first turn is the prompt, all turns stay in `turns`)
// and `alpaca-eval-instructions` (any model's outputs file of AlpacaEval, whose output stays as `reference`). Studies take
// a part of either: by category or dataset, and by number.
#include <algorithm>
#include <set>

#include "file_source.h"

namespace plumb::files {
namespace {

// Which rows are wanted: all, those of some groups, those with some numbers. What was asked for and never came is an
// error after the last row: a study on fewer questions than it says would go unnoticed.
class Wanted {
 public:
  Wanted(const char* groups_key, std::vector<std::string> groups, const char* numbers_key,
         std::vector<std::int64_t> numbers)
      : groups_key_(groups_key), numbers_key_(numbers_key), groups_(std::move(groups)), numbers_(std::move(numbers)) {}

  // Empty for a row that is wanted, else why it is left out.
  std::string refusal(const std::string& group, std::int64_t number) {
    there_.insert(group);
    found_.insert(number);
    if (!groups_.empty() && std::find(groups_.begin(), groups_.end(), group) == groups_.end())
      return std::string("not among `") + groups_key_ + "`";
    if (!numbers_.empty() && std::find(numbers_.begin(), numbers_.end(), number) == numbers_.end())
      return std::string("not among `") + numbers_key_ + "`";
    return {};
  }

  void check_all_came() const {
    std::string names;
    for (const std::string& name : there_) names += (names.empty() ? "" : ", ") + name;
    for (const std::string& group : groups_) {
      if (!there_.contains(group)) {
        throw Error(ErrorCode::data, std::string(groups_key_) + ": no row is of `" + group + "`; there are: " + names);
      }
    }
    for (const std::int64_t number : numbers_) {
      if (found_.contains(number)) continue;
      throw Error(ErrorCode::data, std::string(numbers_key_) + ": there is no " + std::to_string(number) +
                                       "; there are " + std::to_string(found_.size()) + ", from " +
                                       (found_.empty() ? "none" : std::to_string(*found_.begin())) + " to " +
                                       (found_.empty() ? "none" : std::to_string(*found_.rbegin())));
    }
  }

 private:
  const char *groups_key_, *numbers_key_;
  std::vector<std::string> groups_;
  std::vector<std::int64_t> numbers_;
  std::set<std::string> there_;
  std::set<std::int64_t> found_;
};

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
    std::vector<std::string> categories;
    std::vector<std::int64_t> question_ids;
  };
  static Params<Settings> params() {
    auto p = only_files<MtBenchQuestions>("questions of MT-Bench", "lm-sys/FastChat llm_judge");
    p.add(&Settings::categories, "categories", "only questions of these, such as writing; empty: of all");
    p.add(&Settings::question_ids, "question_ids", "only these questions; empty: all");
    return p;
  }
  MtBenchQuestions(const Settings& settings, Host& host)
      : FileSource(settings.files, host),
        wanted_("categories", settings.categories, "question_ids", settings.question_ids) {}

 private:
  void read(const Value& row, const JsonFields& json) override {
    const Value::List& turns = json.list(row, "turns");
    if (turns.empty()) json.fail(row, "`turns` holds no question");
    const std::string refusal = wanted_.refusal(json.text_or(row, "category", ""), json.integer(row, "question_id"));
    if (!refusal.empty()) return leave_out(refusal);
    emit(Prompt{"mt-bench-" + std::to_string(json.integer(row, "question_id")),
                {{"user", json.as_text(turns[0], "a turn")}},
                row});
  }
  void finish_file(const JsonFields&) override {
    if (++finished_ == files().size()) wanted_.check_all_came();
  }

  Wanted wanted_;
  std::size_t finished_ = 0;
};

class AlpacaEvalInstructions final : public FileSource {
 public:
  struct Settings {
    FileSettings files;
    std::vector<std::string> datasets;
    std::vector<std::int64_t> rows;
  };
  static Params<Settings> params() {
    auto p = only_files<AlpacaEvalInstructions>("instructions of AlpacaEval", "tatsu-lab/alpaca_eval");
    p.add(&Settings::datasets, "datasets", "only instructions of these, such as helpful_base; empty: of all");
    p.add(&Settings::rows, "rows", "only these rows, the first of the first file being 1; empty: all");
    return p;
  }
  AlpacaEvalInstructions(const Settings& settings, Host& host)
      : FileSource(settings.files, host), wanted_("datasets", settings.datasets, "rows", settings.rows) {}

 private:
  void read(const Value& row, const JsonFields& json) override {
    Value extra =
        Value::map({{"dataset", json.text_or(row, "dataset", "")}, {"generator", json.text_or(row, "generator", "")}});
    const std::string refusal = wanted_.refusal(json.text_or(row, "dataset", ""), ++row_);
    if (!refusal.empty()) return leave_out(refusal);
    if (json.find(row, "output") != nullptr) extra.set("reference", json.text(row, "output"));
    emit(Prompt{{}, {{"user", json.text(row, "instruction")}}, std::move(extra)});
  }
  void finish_file(const JsonFields&) override {
    if (++finished_ == files().size()) wanted_.check_all_came();
  }

  Wanted wanted_;
  std::int64_t row_ = 0;
  std::size_t finished_ = 0;
};

}  // namespace

void register_benchmark_prompts(Registrar& registrar) {
  registrar.add<MtBenchQuestions>("mt-bench-questions").yields({"prompts"});
  registrar.add<AlpacaEvalInstructions>("alpaca-eval-instructions").yields({"prompts"});
}

}  // namespace plumb::files
