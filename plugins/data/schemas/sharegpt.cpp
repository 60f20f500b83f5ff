// `conversations` of {from, value} (demonstrations), with `chosen` and `rejected` of the same form when they end with
// the user (preferences). As in FastChat, what the assistant says before the human's first message is left out
// (train/train.py), and so is what the human says after the assistant's last (data/split_long_conversation.py); a row
// in which one speaks twice in sequence is of no use (filter_invalid_roles there).
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
  // What comes before the user's first message, but for a system message.
  static bool drop_opening(Conversation& messages) {
    const auto first = messages.begin() + (!messages.empty() && messages.front().role == "system" ? 1 : 0);
    if (first == messages.end() || first->role != "assistant") return false;
    messages.erase(first);
    return true;
  }
  // The user's message after the last answer, if there is an answer.
  static bool drop_tail(Conversation& messages) {
    if (messages.size() < 3 || messages.back().role != "user" || messages[messages.size() - 2].role != "assistant")
      return false;
    messages.pop_back();
    return true;
  }

  void read(const Value& row, const JsonFields& json) override {
    Conversation messages;
    if (const std::string system = json.text_or(row, "system", ""); !system.empty())
      messages.push_back({"system", system});
    const Conversation said = read_messages(json, json.need(row, "conversations"), "from", "value");
    messages.insert(messages.end(), said.begin(), said.end());
    const bool opened = drop_opening(messages);
    if (records_ == "demonstrations") {
      const bool answers_apart = json.find(row, "chosen") != nullptr;
      if (answers_apart) cure("no answer", "for preferences set records: preferences");
      const bool ended = !answers_apart && drop_tail(messages);
      tell_cuts(emit(Demonstration{row_id(json, row, {"id"}), std::move(messages), {}}), opened, ended);
      return;
    }
    Preference out;
    out.id = row_id(json, row, {"id"});
    out.prompt.messages = std::move(messages);
    out.chosen = read_message(json, json.need(row, "chosen"), "from", "value").content;
    out.rejected = read_message(json, json.need(row, "rejected"), "from", "value").content;
    tell_cuts(emit(std::move(out)), opened, false);
  }

  void tell_cuts(bool emitted, bool opened, bool ended) {
    if (emitted && opened) cut("the assistant speaks first, which is left out");
    if (emitted && ended) cut("the human speaks last, which is left out");
  }

  std::string records_;
};

}  // namespace

void register_sharegpt(Registrar& registrar, const std::string& name) {
  registrar.add<ShareGpt>(name).yields({"demonstrations", "preferences"});
}

}  // namespace plumb::files
