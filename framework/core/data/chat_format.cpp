#include "framework/core/data/chat_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "plumb/utf8.h"

namespace plumb {
namespace {

// One user turn with what belongs to it. Contents are stripped of white space at both ends.
struct Turn {
  std::optional<std::string_view> system;  // of the first turn only
  std::string_view user;
  std::optional<std::string_view> answer;  // none: the assistant is to speak
};

// Writes ids; text after the first text of a segment goes on without a tokenizer's dummy prefix space.
class Writer {
 public:
  explicit Writer(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  void bos() {
    if (const auto id = written_bos(tokenizer_)) ids.push_back(*id);
    begun_ = false;
  }
  void eos() { ids.push_back(*tokenizer_.special().eos); }
  void text(std::string_view text) {
    const std::vector<TokenId> more = tokenizer_.encode(text, begun_);
    ids.insert(ids.end(), more.begin(), more.end());
    begun_ = true;
  }
  // A marker that a tokenizer may know as one token; otherwise its spelling.
  void marker(std::string_view spelling) {
    if (const auto id = tokenizer_.find(spelling)) {
      ids.push_back(*id);
      begun_ = true;
    } else {
      text(spelling);
    }
  }

  std::vector<TokenId> ids;

 private:
  const Tokenizer& tokenizer_;
  bool begun_ = false;
};

// What the formats share: turns, the order of roles, EOS after each answer. A format writes what opens a turn and what
// surrounds an answer.
class TurnFormat : public ChatFormat {
 public:
  TurnFormat(const char* name, bool takes_system, const char* before_answer, const char* after_answer)
      : name_(name), takes_system_(takes_system), before_(before_answer), after_(after_answer) {}

  [[nodiscard]] std::string name() const override { return name_; }

  [[nodiscard]] Result<std::vector<TokenId>> render_prompt(const Tokenizer& tokenizer,
                                                           const Conversation& messages) const override {
    Result<RenderedConversation> rendered = write(tokenizer, messages, false);
    if (!rendered) return rendered.error();
    return std::move(rendered->ids);
  }

  [[nodiscard]] Result<std::vector<TokenId>> render_completion(const Tokenizer& tokenizer,
                                                               const std::string& answer) const override {
    if (auto fit = check_tokenizer(tokenizer); !fit) return fit.error();
    const std::string_view said = strip(answer);
    if (said.empty()) return fail("an answer is empty; every answer needs text");
    return completion(tokenizer, said);
  }

  [[nodiscard]] Result<RenderedConversation> render(const Tokenizer& tokenizer,
                                                    const Conversation& messages) const override {
    return write(tokenizer, messages, true);
  }

  [[nodiscard]] std::string parse_completion(const Tokenizer& tokenizer, std::span<const TokenId> ids) const override {
    if (const auto eos = tokenizer.special().eos) {
      ids = ids.first(static_cast<std::size_t>(std::find(ids.begin(), ids.end(), *eos) - ids.begin()));
    }
    return std::string(strip(tokenizer.decode(ids)));
  }

 protected:
  virtual void open(Writer& writer, const Turn& turn, bool first) const = 0;

 private:
  [[nodiscard]] Error fail(const std::string& message) const {
    return {ErrorCode::data, fmt::format("chat format {}: {}", name_, message)};
  }

  [[nodiscard]] Result<void> check_tokenizer(const Tokenizer& tokenizer) const {
    if (tokenizer.special().eos) return {};
    return fail("the tokenizer has no EOS token; name one as eos_token in tokenizer_config.json");
  }

  [[nodiscard]] std::vector<TokenId> completion(const Tokenizer& tokenizer, std::string_view answer) const {
    std::vector<TokenId> ids = tokenizer.encode(fmt::format("{}{}{}", before_, answer, after_), true);
    ids.push_back(*tokenizer.special().eos);
    return ids;
  }

  [[nodiscard]] Result<RenderedConversation> write(const Tokenizer& tokenizer, const Conversation& messages,
                                                   bool answered) const {
    if (auto fit = check_tokenizer(tokenizer); !fit) return fit.error();
    Result<std::vector<Turn>> turns = read_turns(messages, answered);
    if (!turns) return turns.error();
    Writer writer(tokenizer);
    RenderedConversation out;
    for (std::size_t i = 0; i < turns->size(); ++i) {
      const Turn& turn = (*turns)[i];
      open(writer, turn, i == 0);
      out.learn.resize(writer.ids.size(), 0);
      if (!turn.answer) continue;
      const std::vector<TokenId> said = completion(tokenizer, *turn.answer);
      writer.ids.insert(writer.ids.end(), said.begin(), said.end());
      out.learn.resize(writer.ids.size(), 1);
    }
    out.ids = std::move(writer.ids);
    return out;
  }

  // An optional system message, then user and assistant by turns; ends with the assistant when `answered`, else the
  // user.
  [[nodiscard]] Result<std::vector<Turn>> read_turns(const Conversation& messages, bool answered) const {
    std::vector<Turn> turns;
    std::optional<std::string_view> system;
    bool user_next = true;
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const std::string& role = messages[i].role;
      const std::string_view content = strip(messages[i].content);
      if (role == "system" && i == 0) {
        if (!takes_system_ && !content.empty())
          return fail("has no place for a system message; put its text into the user's");
        if (!content.empty()) system = content;
        continue;
      }
      const char* wanted = user_next ? "user" : "assistant";
      if (role != wanted) {
        return fail(fmt::format("message {} is from `{}`, wanted `{}`{}", i + 1, role, wanted,
                                i == 0 && takes_system_ ? " or `system`" : ""));
      }
      if (content.empty())
        return fail(fmt::format("message {} (`{}`) is empty; every message needs text", i + 1, role));
      if (user_next) {
        turns.push_back({system, content, std::nullopt});
        system.reset();
      } else {
        turns.back().answer = content;
      }
      user_next = !user_next;
    }
    if (turns.empty()) return fail("the conversation holds no message of the user");
    if (answered && user_next == false) return fail("the conversation ends with the user; wanted an answer after it");
    if (!answered && user_next) return fail("the conversation ends with the assistant; a prompt ends with the user");
    return turns;
  }

  const char* name_;
  bool takes_system_;
  const char *before_, *after_;
};

// Llama-2-chat (meta-llama/llama, llama/generation.py): every turn is a segment of its own between BOS and EOS.
class Llama2 final : public TurnFormat {
 public:
  Llama2() : TurnFormat("llama-2", true, " ", " ") {}

 private:
  void open(Writer& writer, const Turn& turn, bool) const override {
    writer.bos();
    writer.text(turn.system ? fmt::format("[INST] <<SYS>>\n{}\n<</SYS>>\n\n{} [/INST]", *turn.system, turn.user)
                            : fmt::format("[INST] {} [/INST]", turn.user));
  }
};

// Anthropic's HH-RLHF. Earlier answers of a conversation end with EOS here, too, as a model that has learnt to stop
// writes them; the files themselves have none.
class HumanAssistant final : public TurnFormat {
 public:
  HumanAssistant() : TurnFormat("hh", false, " ", "") {}

 private:
  void open(Writer& writer, const Turn& turn, bool first) const override {
    if (first) writer.bos();
    writer.text(fmt::format("\n\nHuman: {}\n\nAssistant:", turn.user));
  }
};

// Open-Assistant's first models (oasst-sft-1-pythia-12b). The markers are one token each where the tokenizer has them;
// <|endoftext|> is the tokenizer's EOS.
class OpenAssistant final : public TurnFormat {
 public:
  OpenAssistant() : TurnFormat("oasst", false, "", "") {}

 private:
  void open(Writer& writer, const Turn& turn, bool first) const override {
    if (first) writer.bos();
    writer.marker("<|prompter|>");
    writer.text(turn.user);
    writer.eos();
    writer.marker("<|assistant|>");
  }
};

// Stanford Alpaca without input; a system message takes the place of the preamble. Later turns repeat the two headings.
class Alpaca final : public TurnFormat {
 public:
  Alpaca() : TurnFormat("alpaca", true, "", "") {}

 private:
  static constexpr std::string_view kPreamble =
      "Below is an instruction that describes a task. Write a response that appropriately completes the request.";
  void open(Writer& writer, const Turn& turn, bool first) const override {
    if (first) writer.bos();
    writer.text(fmt::format("{}\n\n### Instruction:\n{}\n\n### Response:", first ? turn.system.value_or(kPreamble) : "",
                            turn.user));
  }
};

// For models trained here: the least that separates turns.
class Plain final : public TurnFormat {
 public:
  Plain() : TurnFormat("plain", true, "", "") {}

 private:
  void open(Writer& writer, const Turn& turn, bool first) const override {
    if (first) writer.bos();
    writer.text(turn.system ? fmt::format("{}\n{}\n", *turn.system, turn.user) : fmt::format("{}\n", turn.user));
  }
};

const auto& formats() {
  static const Llama2 llama2;
  static const HumanAssistant hh;
  static const OpenAssistant oasst;
  static const Alpaca alpaca;
  static const Plain plain;
  static const std::array<const ChatFormat*, 5> all{&llama2, &hh, &oasst, &alpaca, &plain};
  return all;
}

}  // namespace

std::optional<TokenId> written_bos(const Tokenizer& tokenizer) {
  const SpecialTokens special = tokenizer.special();
  return special.bos == special.eos ? std::nullopt : special.bos;
}

const ChatFormat* find_chat_format(const std::string& name) {
  for (const ChatFormat* format : formats()) {
    if (format->name() == name) return format;
  }
  return nullptr;
}

std::vector<std::string> chat_format_names() {
  std::vector<std::string> names;
  for (const ChatFormat* format : formats()) names.push_back(format->name());
  return names;
}

}  // namespace plumb
