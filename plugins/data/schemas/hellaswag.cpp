// HellaSwag (Rowan/hellaswag): the beginning of a text, four endings, and the number of the right one, which is
// preferred to a wrong one. Columns: ctx, endings, label (a number or its text; empty in the test split), ind.
//
// Open-Assistant's reward models learnt the bare text, beginning and ending joined; here the beginning is the user's
// message, as every preference has one.
#include <charconv>

#include "file_source.h"
#include "plumb/json_rows.h"
#include "plumb/random.h"

namespace plumb::files {
namespace {

class HellaSwag final : public FileSource {
 public:
  struct Settings {
    FileSettings files;
    std::string wrong = "one";
  };
  static Params<Settings> params() {
    Params<Settings> p{"HellaSwag's endings: the right one over a wrong one", "Rowan/hellaswag, arXiv:1905.07830"};
    p.include(&Settings::files, file_params());
    p.add(&Settings::wrong, "wrong",
          "one: a pair a row, with a wrong ending drawn by what the row says; all: three pairs")
        .choices({"one", "all"});
    return p;
  }
  HellaSwag(const Settings& settings, Host& host) : FileSource(settings.files, host), wrong_(settings.wrong) {}

 private:
  // Nothing where the file does not tell.
  static std::optional<std::size_t> label_of(const Value& row, const JsonFields& json) {
    const Value* label = json.find(row, "label");
    if (label == nullptr || (label->is_string() && label->as_string().empty())) return std::nullopt;
    std::int64_t number = -1;
    if (label->is_string()) {
      const std::string& text = label->as_string();
      if (std::from_chars(text.data(), text.data() + text.size(), number).ptr != text.data() + text.size()) number = -1;
    } else {
      number = json.as_integer(*label, "key `label`");
    }
    if (number < 0 || number >= static_cast<std::int64_t>(json.list(row, "endings").size()))
      json.fail(*label, "`label` is not the number of an ending, counted from 0");
    return static_cast<std::size_t>(number);
  }

  void read(const Value& row, const JsonFields& json) override {
    const Value::List& endings = json.list(row, "endings");
    const std::optional<std::size_t> right = label_of(row, json);
    if (!right) return leave_out("no label, as in the test split");
    if (endings.size() < 2) json.fail(json.need(row, "endings"), "`endings` needs a right one and a wrong one");
    const Conversation prompt{{"user", json.text(row, "ctx")}};
    const std::size_t one = Random(0).derive(content_id(prompt)).below(endings.size() - 1);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < endings.size(); ++i) {
      if (i == *right || (wrong++ != one && wrong_ == "one")) continue;
      Preference out;
      if (const std::string id = row_id(json, row, {"ind"}); !id.empty()) {
        out.prompt.id = "hellaswag-" + id;
        out.id = out.prompt.id + "/" + std::to_string(i);
      }
      out.prompt.messages = prompt;
      out.chosen = json.as_text(endings[*right], "an ending");
      out.rejected = json.as_text(endings[i], "an ending");
      emit(std::move(out));
    }
  }

  std::string wrong_;
};

}  // namespace

void register_hellaswag(Registrar& registrar, const std::string& name) {
  registrar.add<HellaSwag>(name).yields({"preferences"});
}

}  // namespace plumb::files
