// Anthropic's helpful and harmless comparisons. Each of `chosen` and `rejected` is a whole dialogue,
// "\n\nHuman: …\n\nAssistant: …"; the answer begins after the last "\n\nAssistant:" and ends before a "\n\nHuman:" that
// follows it.
#include <string_view>

#include "file_source.h"
#include "plumb/utf8.h"

namespace plumb::files {
namespace {

constexpr std::string_view kHuman = "\n\nHuman:", kAssistant = "\n\nAssistant:";

// Turns of a dialogue that begins with a marker. A marker that repeats the role before it is part of that message, so
// that the text is kept.
Conversation turns(std::string_view text) {
  Conversation out;
  std::size_t begin = 0;  // of the current message's text
  const auto close = [&](std::size_t end) {
    if (!out.empty()) out.back().content = std::string(strip(text.substr(begin, end - begin)));
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::string_view rest = text.substr(at);
    const bool human = rest.starts_with(kHuman);
    if (!human && !rest.starts_with(kAssistant)) continue;
    const char* role = human ? "user" : "assistant";
    if (!out.empty() && out.back().role == role) continue;
    close(at);
    out.push_back({role, {}});
    begin = at + (human ? kHuman : kAssistant).size();
  }
  close(text.size());
  return out;
}

class HhRlhf final : public FileSource {
 public:
  struct Settings {
    FileSettings files;
  };
  static Params<Settings> params() {
    Params<Settings> p{"Anthropic's HH-RLHF comparisons", "anthropics/hh-rlhf"};
    p.include(&Settings::files, file_params());
    return p;
  }
  HhRlhf(const Settings& settings, Host& host) : FileSource(settings.files, host) {}

 private:
  struct Dialogue {
    std::string_view prompt, answer;
    bool cut;  // the human speaks again: a model is not to learn that part
  };
  static Dialogue split(const JsonFields& json, const Value& row, const char* key) {
    const std::string_view text = json.text(row, key);
    const std::size_t last = text.rfind(kAssistant);
    if (last == std::string_view::npos || !text.starts_with(kHuman)) {
      json.fail(
          json.need(row, key),
          std::string("`") + key + "` is no dialogue: it begins with \"\\n\\nHuman:\" and has \"\\n\\nAssistant:\"");
    }
    const std::string_view answer = text.substr(last + kAssistant.size());
    const std::size_t human = answer.find(kHuman);
    return {text.substr(0, last), strip(answer.substr(0, human)), human != std::string_view::npos};
  }

  void read(const Value& row, const JsonFields& json) override {
    const Dialogue chosen = split(json, row, "chosen"), rejected = split(json, row, "rejected");
    if (chosen.prompt != rejected.prompt) return leave_out("prompts differ");
    Preference out;
    out.prompt.messages = turns(chosen.prompt);
    out.chosen = chosen.answer;
    out.rejected = rejected.answer;
    if (emit(std::move(out)) && (chosen.cut || rejected.cut)) cut("the human speaks last, which is left out");
  }
};

}  // namespace

void register_hh_rlhf(Registrar& registrar, const std::string& name) {
  registrar.add<HhRlhf>(name).yields({"preferences"});
}

}  // namespace plumb::files
