// OpenAI's summaries with human feedback (openai/summarize_from_feedback, `comparisons`): a post or an article, two
// summaries, and the number of the preferred one. Columns: info {id, post, title, subreddit, article},
// summaries [{text, …}, {text, …}], choice, extra {confidence}.
#include "file_source.h"

namespace plumb::files {
namespace {

class Summaries final : public FileSource {
 public:
  struct Settings {
    FileSettings files;
    std::string instruction = "Please summarize the following text:";
    std::int64_t min_confidence = 0;
  };
  static Params<Settings> params() {
    Params<Settings> p{"comparisons of summaries with human feedback",
                       "openai/summarize_from_feedback, arXiv:2009.01325"};
    p.include(&Settings::files, file_params());
    p.add(
        &Settings::instruction, "instruction",
        "stands before the post, after it an empty line; empty: the post alone. The data set has no words of its own");
    p.add(&Settings::min_confidence, "min_confidence",
          "leave out comparisons whose annotator was less sure, from 1 to 9; one that says nothing is kept")
        .at_least(0)
        .at_most(9);
    return p;
  }
  Summaries(const Settings& settings, Host& host) : FileSource(settings.files, host), settings_(settings) {
    cure("confidence below min_confidence", "min_confidence: 0 keeps them");
  }

 private:
  void read(const Value& row, const JsonFields& json) override {
    const Value& info = json.need(row, "info");
    std::string text = json.text_or(info, "post", "");
    if (text.empty()) text = json.text_or(info, "article", "");
    if (text.empty()) json.fail(info, "`info` has neither `post` nor `article`");
    const Value* extra = json.find(row, "extra");
    const Value* confidence = extra == nullptr ? nullptr : json.find(*extra, "confidence");
    if (confidence != nullptr && json.number(*extra, "confidence") < static_cast<double>(settings_.min_confidence))
      return leave_out("confidence below min_confidence");
    const Value::List& summaries = json.list(row, "summaries");
    const std::int64_t choice = json.integer(row, "choice");
    if (summaries.size() != 2 || (choice != 0 && choice != 1))
      json.fail(row, "a comparison has two `summaries`, and `choice` is 0 or 1");
    Preference out;
    if (const std::string id = row_id(json, info, {"id"}); !id.empty()) out.prompt.id = "summary-" + id;
    out.prompt.messages = {{"user", settings_.instruction.empty() ? text : settings_.instruction + "\n\n" + text}};
    out.chosen = json.text(summaries[static_cast<std::size_t>(choice)], "text");
    out.rejected = json.text(summaries[static_cast<std::size_t>(1 - choice)], "text");
    emit(std::move(out));
  }

  Settings settings_;
};

}  // namespace

void register_summaries(Registrar& registrar, const std::string& name) {
  registrar.add<Summaries>(name).yields({"preferences"});
}

}  // namespace plumb::files
