// `plumb chat MODEL`: a conversation of many turns.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>
#include <optional>
#include <string>

#include "plumb/random.h"
#include "plumb/utf8.h"
#include "tools/cli/plugins_of_run.h"
#include "tools/cli/talk.h"
#include "tools/cli/verb.h"

namespace plumb::cli {
namespace {

namespace po = boost::program_options;

void note(const std::string& text) {
  std::cerr << text + "\n";
}

// Lines of standard input. Unlike std::getline it returns when a signal comes.
class Lines {
 public:
  enum class State { line, end, interrupted };

  State next(std::string& line) {
    for (;;) {
      if (const std::size_t end = buffer_.find('\n'); end != std::string::npos) return take(end, end + 1, line);
      char more[4096];
      const ssize_t got = ::read(STDIN_FILENO, more, sizeof more);
      if (got > 0) {
        buffer_.append(more, static_cast<std::size_t>(got));
      } else if (got == 0) {
        return buffer_.empty() ? State::end : take(buffer_.size(), buffer_.size(), line);
      } else if (errno != EINTR) {
        throw Error(ErrorCode::data, "standard input could not be read");
      } else if (interrupted()) {
        return State::interrupted;
      }
    }
  }

 private:
  State take(std::size_t size, std::size_t taken, std::string& line) {
    line = buffer_.substr(0, size);
    buffer_.erase(0, taken);
    return State::line;
  }

  std::string buffer_;
};

class Chat {
 public:
  Chat(Answerer& model, const Sampling& sampling, std::string system, bool terminal)
      : model_(model), sampling_(sampling), terminal_(terminal) {
    set_system(std::move(system));
  }

  // False when the conversation is over.
  bool take(const std::string& line) {
    const std::string_view text = strip(line);
    if (text.empty()) return true;
    if (line.front() != '/') {
      speak(std::string(text));
      return true;
    }
    const std::size_t blank = text.find_first_of(" \t");
    const std::string_view word = text.substr(0, blank);
    const std::string rest(blank == std::string_view::npos ? std::string_view() : strip(text.substr(blank)));
    if (word == "/quit") return false;
    if (word == "/reset") {
      turns_.clear();
      note("a new conversation");
    } else if (word == "/system") {
      attempt([&] { set_system(rest); });
    } else {
      attempt([&] {
        throw Error(ErrorCode::recipe, fmt::format("there is no command {}; there are /reset, /system TEXT and /quit. "
                                                   "A line that begins with a space is sent as it is",
                                                   word));
      });
    }
    return true;
  }

 private:
  // At a terminal what goes wrong is said and the conversation goes on; a script ends with the error's status.
  template <class F>
  void attempt(F&& body) {
    if (!terminal_) return body();
    try {
      body();
    } catch (const Error& error) {
      note(error.what());
    }
  }

  [[nodiscard]] Conversation with(const std::string& system, const std::string& user) const {
    Conversation messages;
    if (!system.empty()) messages.push_back({"system", system});
    messages.insert(messages.end(), turns_.begin(), turns_.end());
    messages.push_back({"user", user});
    return messages;
  }

  // A format without a place for a system message refuses it here, before the next turn.
  void set_system(std::string text) {
    (void)model_.prompt_of(with(text, "…"));
    system_ = std::move(text);
  }

  void speak(const std::string& user) {
    attempt([&] {
      const RenderedPrompt prompt = model_.prompt_of(with(system_, user));
      const auto length = static_cast<std::int64_t>(prompt.ids.size());
      if (length >= model_.context()) {
        throw Error(ErrorCode::recipe,
                    fmt::format("the conversation with this message has {} tokens and the model's context is {}: the "
                                "message was not sent; /reset begins a new conversation, a shorter message may fit",
                                length, model_.context()));
      }
      Sampling sampling = sampling_;
      sampling.seed = Random(sampling_.seed).derive("turn").derive(asked_++).key();
      keep(user, model_.answer(prompt, sampling, say), length);
    });
  }

  void keep(const std::string& user, const Answer& answer, std::int64_t prompt_length) {
    clear_interrupt();
    std::cout << "\n" << std::flush;
    if (answer.interrupted) {
      note("(stopped)");
    } else if (answer.finish == FinishReason::length) {
      const bool full = prompt_length + static_cast<std::int64_t>(answer.ids.size()) >= model_.context();
      note(full ? fmt::format("(cut off: the model's context of {} tokens is full)", model_.context())
                : fmt::format("(cut off after {} tokens; see --max-new-tokens)", answer.ids.size()));
    }
    if (strip(answer.text).empty()) {
      note("(the answer is empty; your message is left out of the conversation)");
      return;
    }
    turns_.push_back({"user", user});
    turns_.push_back({"assistant", answer.text});
  }

  Answerer& model_;
  Sampling sampling_;
  bool terminal_;
  std::string system_;
  Conversation turns_;
  std::uint64_t asked_ = 0;
};

}  // namespace

int run_chat(int argc, char** argv) {
  po::options_description options("Options");
  add_talk_options(options);
  const std::string arguments = fmt::format("MODEL {}", kTalkArguments);
  const auto given = parse_verb(argc, argv,
                                {arguments.c_str(),
                                 "Talks to a model, which sees the whole conversation so far. /reset begins a new one, "
                                 "/system TEXT sets the system\n"
                                 "message (/system alone removes it), /quit or Ctrl-D ends, Ctrl-C stops an answer. "
                                 "Without a terminal each line\n"
                                 "of standard input is one turn and the answers go to standard output."},
                                options, {"model"});
  if (!given) return 0;
  const Sampling sampling = sampling_of(*given);
  const bool terminal = ::isatty(STDIN_FILENO) != 0;

  TalkHost host;
  const Registry registry = scan_for((*given)["model"].as<std::string>(), *given);
  const auto model = open_to_talk(*given, registry, host);
  Chat chat(*model, sampling, system_of(*given), terminal);
  if (terminal) {
    note(fmt::format("{}, chat format {}, context of {} tokens. /reset, /system TEXT, /quit; Ctrl-C stops an answer.",
                     (*given)["model"].as<std::string>(), model->chat_format(), model->context()));
  }
  stop_answers_on_interrupt();
  Lines lines;
  std::string line;
  for (;;) {
    if (terminal) std::cerr << "> " << std::flush;
    const Lines::State state = lines.next(line);
    if (state == Lines::State::interrupted) {
      if (!terminal) throw Error(ErrorCode::interrupted, "interrupted");
      clear_interrupt();
      std::cerr << "\n";
      continue;
    }
    if (state == Lines::State::end || !chat.take(line)) break;
  }
  if (terminal) std::cerr << "\n";
  return 0;
}

}  // namespace plumb::cli
