// TRL's columns. `messages`, or `prompt` with `completion`: demonstrations. `prompt`, `chosen`,
// `rejected`: preferences. `prompt`: prompts. `text`: texts. Each is a string or a list of {role, content}.
#include <algorithm>

#include "file_source.h"

namespace plumb::files {
namespace {

// The messages under `key`; a string is one message of this role.
Conversation messages_of(const JsonFields& json, const Value& row, const char* key, const char* role) {
  const Value& value = json.need(row, key);
  if (value.is_string()) return {{role, value.as_string()}};
  if (!value.is_list()) {
    json.fail(value, std::string("`") + key + "` is of type " + value.type_name() +
                         "; wanted a text or a list of messages {role, content}");
  }
  return read_messages(json, value);
}

class TrlColumns final : public FileSource {
 public:
  struct Settings {
    FileSettings files;
    std::string records;
  };
  static Params<Settings> params() {
    Params<Settings> p{"rows with TRL's columns", "huggingface/trl docs/source/dataset_formats"};
    p.include(&Settings::files, file_params());
    p.add(&Settings::records, "records",
          "what each row is: demonstrations (`messages`, or `prompt` and `completion`), preferences (`prompt`, "
          "`chosen`, "
          "`rejected`), prompts (`prompt`), texts (`text`)")
        .choices({"demonstrations", "preferences", "prompts", "texts"})
        .required();
    return p;
  }
  TrlColumns(const Settings& settings, Host& host) : FileSource(settings.files, host), records_(settings.records) {}

 private:
  void read(const Value& row, const JsonFields& json) override {
    if (records_ == "demonstrations") {
      emit(demonstration(row, json));
    } else if (records_ == "preferences") {
      emit(preference(row, json));
    } else if (records_ == "prompts") {
      emit(Prompt{row_id(json, row, {"prompt_id", "id"}), messages_of(json, row, "prompt", "user"),
                  other_columns(row, {"prompt_id", "id", "prompt"})});
    } else {
      emit_text(row_id(json, row, {"id"}), json.text(row, "text"), other_columns(row, {"id", "text"}));
    }
  }

  static Demonstration demonstration(const Value& row, const JsonFields& json) {
    Demonstration out{row_id(json, row, {"id", "prompt_id"}),
                      {},
                      other_columns(row, {"id", "prompt_id", "messages", "prompt", "completion"})};
    if (const Value* messages = json.find(row, "messages")) {
      out.messages = read_messages(json, *messages);
    } else if (json.find(row, "completion") != nullptr) {
      out.messages = messages_of(json, row, "prompt", "user");
      const Conversation answer = messages_of(json, row, "completion", "assistant");
      out.messages.insert(out.messages.end(), answer.begin(), answer.end());
    } else {
      json.fail(row, "a demonstration has the key `messages`, or the keys `prompt` and `completion`");
    }
    return out;
  }

  // What of `prompt` comes before answers that begin with the user: nothing when they begin with it, all but its last
  // message when they begin with that one.
  static Conversation before_answers(Conversation prompt, const Conversation& answer) {
    if (prompt.size() <= answer.size() && std::equal(prompt.begin(), prompt.end(), answer.begin())) return {};
    if (!prompt.empty() && prompt.back() == answer.front()) prompt.pop_back();
    return prompt;
  }

  // The answers may go on for several messages after `prompt`, or be whole conversations that hold it: what both share
  // is then the prompt.
  static Preference preference(const Value& row, const JsonFields& json) {
    const Value& chosen_value = json.need(row, "chosen");
    Conversation chosen = messages_of(json, row, "chosen", "assistant");
    Conversation rejected = messages_of(json, row, "rejected", "assistant");
    if (chosen.empty() || rejected.empty()) json.fail(chosen_value, "`chosen` and `rejected` need a message");
    Preference out;
    out.prompt.id = row_id(json, row, {"prompt_id"});
    out.id = row_id(json, row, {"id"});
    if (chosen.front().role == "assistant") {
      if (json.find(row, "prompt") == nullptr) {
        json.fail(row, "key `prompt` is missing (rows of HH-RLHF, whose answers hold the prompt, are read by hh-rlhf)");
      }
      out.prompt.messages = messages_of(json, row, "prompt", "user");
    } else if (const Value* asked = json.find(row, "prompt"); asked != nullptr && asked->is_list()) {
      out.prompt.messages = before_answers(read_messages(json, *asked), chosen);
    }
    const std::size_t shared = chosen.size() - 1;
    if (rejected.size() != chosen.size() ||
        !std::equal(chosen.begin(), chosen.begin() + static_cast<std::ptrdiff_t>(shared), rejected.begin())) {
      json.fail(chosen_value,
                "`chosen` and `rejected` differ before their last message, so they do not answer one prompt");
    }
    out.prompt.messages.insert(out.prompt.messages.end(), chosen.begin(),
                               chosen.begin() + static_cast<std::ptrdiff_t>(shared));
    if (chosen.back().role != "assistant" || rejected.back().role != "assistant") {
      json.fail(chosen_value, "`chosen` and `rejected` must end with a message of the assistant");
    }
    out.chosen = chosen.back().content;
    out.rejected = rejected.back().content;
    if (json.find(row, "chosen_reward") != nullptr) out.chosen_reward = json.number(row, "chosen_reward");
    if (json.find(row, "rejected_reward") != nullptr) out.rejected_reward = json.number(row, "rejected_reward");
    if (json.find(row, "margin") != nullptr) out.margin = json.number(row, "margin");
    return out;
  }

  std::string records_;
};

}  // namespace

void register_trl_columns(Registrar& registrar, const std::string& name) {
  registrar.add<TrlColumns>(name).yields({"demonstrations", "preferences", "prompts", "texts"});
}

}  // namespace plumb::files
