// Rows of `instruction`, `input` and `output` (demonstrations), or `chosen` and `rejected` instead
// of `output` (preferences). The input follows the instruction on a line of its own, as in LLaMA-Factory; earlier turns
// in `history` are [question, answer] pairs.
#include "file_source.h"

namespace plumb::files {
namespace {

class Alpaca final : public FileSource {
 public:
  struct Settings {
    FileSettings files;
    std::string records = "demonstrations";
  };
  static Params<Settings> params() {
    Params<Settings> p{"instructions with an input and an output", "tatsu-lab/stanford_alpaca"};
    p.include(&Settings::files, file_params());
    p.add(&Settings::records, "records", "demonstrations (`output`) or preferences (`chosen`, `rejected`)")
        .choices({"demonstrations", "preferences"});
    return p;
  }
  Alpaca(const Settings& settings, Host& host) : FileSource(settings.files, host), records_(settings.records) {}

 private:
  static Conversation question(const Value& row, const JsonFields& json) {
    Conversation out;
    if (const std::string system = json.text_or(row, "system", ""); !system.empty()) out.push_back({"system", system});
    if (const Value* history = json.find(row, "history")) {
      for (const Value& turn : json.as_list(*history, "history")) {
        const Value::List& pair = json.as_list(turn, "a turn of the history");
        if (pair.size() != 2) json.fail(turn, "a turn of the history is a question and an answer");
        out.push_back({"user", json.as_text(pair[0], "a question")});
        out.push_back({"assistant", json.as_text(pair[1], "an answer")});
      }
    }
    const std::string input = json.text_or(row, "input", "");
    out.push_back({"user", json.text(row, "instruction") + (input.empty() ? "" : "\n" + input)});
    return out;
  }

  void read(const Value& row, const JsonFields& json) override {
    Conversation messages = question(row, json);
    if (records_ == "demonstrations") {
      if (json.find(row, "output") == nullptr && json.find(row, "chosen") != nullptr) {
        json.fail(row, "key `output` is missing; the row has `chosen`: for preferences set records: preferences");
      }
      messages.push_back({"assistant", json.text(row, "output")});
      emit(Demonstration{row_id(json, row, {"id"}), std::move(messages), {}});
      return;
    }
    Preference out;
    out.id = row_id(json, row, {"id"});
    out.prompt.messages = std::move(messages);
    out.chosen = json.text(row, "chosen");
    out.rejected = json.text(row, "rejected");
    emit(std::move(out));
  }

  std::string records_;
};

}  // namespace

void register_alpaca(Registrar& registrar, const std::string& name) {
  registrar.add<Alpaca>(name).yields({"demonstrations", "preferences"});
}

}  // namespace plumb::files
