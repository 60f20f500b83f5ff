// `conversations` of {from, value} (demonstrations), with `chosen` and `rejected` of the same
// form when they end with the user (preferences).
#include "file_source.h"

namespace plumb::files {
namespace {

class ShareGpt final : public FileSource {
 public:
  struct Settings {
    FileSettings files;
    std::string records = "demonstrations";
  };
  static Params<Settings> params() {
    Params<Settings> p{"conversations of {from, value}", "lm-sys/FastChat and LLaMA-Factory"};
    p.include(&Settings::files, file_params());
    p.add(&Settings::records, "records", "demonstrations (`conversations`) or preferences (also `chosen`, `rejected`)")
        .choices({"demonstrations", "preferences"});
    return p;
  }
  ShareGpt(const Settings& settings, Host& host) : FileSource(settings.files, host), records_(settings.records) {}

 private:
  void read(const Value& row, const JsonFields& json) override {
    Conversation messages;
    if (const std::string system = json.text_or(row, "system", ""); !system.empty())
      messages.push_back({"system", system});
    const Conversation said = read_messages(json, json.need(row, "conversations"), "from", "value");
    messages.insert(messages.end(), said.begin(), said.end());
    if (records_ == "demonstrations") {
      emit(Demonstration{row_id(json, row, {"id"}), std::move(messages), {}});
      return;
    }
    Preference out;
    out.id = row_id(json, row, {"id"});
    out.prompt.messages = std::move(messages);
    out.chosen = read_message(json, json.need(row, "chosen"), "from", "value").content;
    out.rejected = read_message(json, json.need(row, "rejected"), "from", "value").content;
    emit(std::move(out));
  }

  std::string records_;
};

}  // namespace

void register_sharegpt(Registrar& registrar, const std::string& name) {
  registrar.add<ShareGpt>(name).yields({"demonstrations", "preferences"});
}

}  // namespace plumb::files
