// OpenAI's WebGPT comparisons: a question, two answers, and scores that add up to 0.
#include <cmath>

#include "file_source.h"

namespace plumb::files {
namespace {

// Without references to quotes, "[1]" or "[2, 3]", and the space before them: a policy that has no browser cannot give
// them.
std::string without_references(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at + 1;
    bool digit = false;
    while (text[at] == '[' && end < text.size() &&
           (std::isdigit(static_cast<unsigned char>(text[end])) != 0 || text[end] == ',' || text[end] == ' ')) {
      digit = digit || (text[end] != ',' && text[end] != ' ');
      ++end;
    }
    if (text[at] == '[' && digit && end < text.size() && text[end] == ']') {
      while (!out.empty() && out.back() == ' ') out.pop_back();
      at = end + 1;
    } else {
      out += text[at++];
    }
  }
  return out;
}

class WebGpt final : public FileSource {
 public:
  struct Settings {
    FileSettings files;
    bool references = false;
  };
  static Params<Settings> params() {
    Params<Settings> p{"OpenAI's WebGPT comparisons", "arXiv:2112.09332"};
    p.include(&Settings::files, file_params());
    p.add(&Settings::references, "references", "keep the answers' references to quotes, such as [1]");
    return p;
  }
  WebGpt(const Settings& settings, Host& host) : FileSource(settings.files, host), references_(settings.references) {}

 private:
  void read(const Value& row, const JsonFields& json) override {
    const Value& question = json.need(row, "question");
    Preference out;
    out.prompt.messages = {
        {"user", question.is_map() ? json.text(question, "full_text") : json.as_text(question, "question")}};
    if (question.is_map()) {
      if (const std::string id = row_id(json, question, {"id"}); !id.empty()) out.prompt.id = "webgpt-" + id;
    }
    const double score_0 = json.number(row, "score_0"), score_1 = json.number(row, "score_1");
    if (std::abs(score_0 + score_1) > 1e-6) json.fail(row, "score_0 and score_1 must add up to 0");
    out.chosen = answer(row, json, score_0 > 0 ? "answer_0" : "answer_1");
    out.rejected = answer(row, json, score_0 > 0 ? "answer_1" : "answer_0");
    if (score_0 == 0) return leave_out("tied");
    emit(std::move(out));
  }

  std::string answer(const Value& row, const JsonFields& json, const char* key) const {
    return references_ ? json.text(row, key) : without_references(json.text(row, key));
  }

  bool references_;
};

}  // namespace

void register_webgpt(Registrar& registrar, const std::string& name) {
  registrar.add<WebGpt>(name).yields({"preferences"});
}

}  // namespace plumb::files
