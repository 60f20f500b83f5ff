// Asks any server with OpenAI's chat-completions interface: a hosted model, or one served in the house.
//
//   judge:
//     name: openai-judge
//     url: https://api.example.org/v1
//     model: gpt-4
//     key_from: JUDGE_KEY          # the environment variable that holds the key
//
// The README beside says what is retried, what is kept and where.
#include <plumb/judge.h>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <unordered_set>

#include "client.h"
#include "judgment_cache.h"

#include <plumb/plugin.h>

namespace {

using namespace openai;
namespace fs = std::filesystem;

class OpenAiJudge final : public plumb::WaitingJudge {
 public:
  struct Settings {
    std::string url, model, cache;
    std::int64_t max_tokens = 2048;
    server::Access access;
    plumb::Value extra;
  };

  static plumb::Params<Settings> params() {
    using S = Settings;
    plumb::Params<S> p{"a language model behind an OpenAI-compatible server"};
    p.add(&S::url, "url", "https://HOST[:PORT]/PATH up to, without, /chat/completions").required();
    p.add(&S::model, "model", "as the server calls it").required();
    p.add(&S::cache, "cache", "folder that keeps what was answered; empty: plumb/judgments in the user's cache folder");
    p.add(&S::max_tokens, "max_tokens", "an answer is cut here").at_least(1).unit("tokens");
    p.include(&S::access, server::Access::params());
    p.add(&S::extra, "extra", "further keys of the request's body, such as top_p; null takes one out");
    p.check([](const S& s) { return s.access.wrong(s.url); });
    p.check([](const S& s) { return s.extra.is_null() || s.extra.is_map() ? "" : "extra wants a map"; });
    return p;
  }

  OpenAiJudge(const Settings& settings, plumb::Host& host)
      : settings_(settings),
        host_(host),
        client_("openai-judge", settings.url, settings.access, host),
        cache_(cache_file()) {
    if (cache_.unreadable() > 0) {
      host_.log(plumb::LogLevel::warning, cache_.file().string() + ": passed over " +
                                              std::to_string(cache_.unreadable()) + " lines that cannot be read");
    }
  }

  ~OpenAiJudge() override {
    host_.log(plumb::LogLevel::info,
              "openai-judge: " + std::to_string(paid_) + " judgments by " + std::to_string(client_.sent()) +
                  " requests (" + std::to_string(prompt_tokens_) + " + " + std::to_string(completion_tokens_) +
                  " tokens), " + std::to_string(known_) + " known from before; kept in " + cache_.file().string());
  }

  [[nodiscard]] std::size_t concurrency() const override {
    return static_cast<std::size_t>(settings_.access.concurrency);
  }

  [[nodiscard]] plumb::Judgement judge(const plumb::JudgeRequest& request) override {
    if (request.messages.empty()) {
      throw plumb::Error(
          plumb::ErrorCode::recipe,
          "openai-judge: this evaluator writes no prompts for language models; mt-bench and alpaca-eval do");
    }
    const std::string body =
        chat_body(settings_.model, request.messages, request.temperature, settings_.max_tokens, settings_.extra);
    const std::string hash = request_hash(settings_.url, body);
    if (auto known = find(hash, request.anew)) return from_before(*known);
    try {
      const auto claim = cache_.claim(hash, [this] { return host_.cancelled(); });
      if (!claim) throw server::Stopped{};
      if (auto known = find(hash, request.anew)) return from_before(*known);
      return ask(body, hash);
    } catch (const server::Stopped&) {
      return failed("stopped");
    }
  }

 private:
  // An answer that is wanted anew counts as known only if it came in this process: it is no better a minute later.
  std::optional<ChatAnswer> find(const std::string& hash, bool anew) {
    if (anew) {
      const std::scoped_lock lock(own_mutex_);
      if (!own_.contains(hash)) return std::nullopt;
    }
    return cache_.find(hash);
  }

  static plumb::Judgement failed(std::string why) {
    plumb::Judgement judgement;
    judgement.failure = std::move(why);
    return judgement;
  }

  static plumb::Judgement to_judgement(const ChatAnswer& answer) {
    plumb::Judgement judgement;
    judgement.text = answer.text;
    judgement.failure = answer.failure;
    judgement.prompt_tokens = answer.prompt_tokens;
    judgement.completion_tokens = answer.completion_tokens;
    return judgement;
  }

  plumb::Judgement from_before(const ChatAnswer& answer) {
    ++known_;
    return to_judgement(answer);
  }

  // One file for each address and model, so that one judge's file stays readable to a person.
  [[nodiscard]] fs::path cache_file() const {
    fs::path folder = server::in_recipe(settings_.cache, host_);
    if (folder.empty()) {
      const char* cache = std::getenv("XDG_CACHE_HOME");
      const char* home = std::getenv("HOME");
      if (cache != nullptr && *cache == '/') {
        folder = fs::path(cache) / "plumb" / "judgments";
      } else if (home != nullptr && *home == '/') {
        folder = fs::path(home) / ".cache" / "plumb" / "judgments";
      } else {
        throw plumb::Error(plumb::ErrorCode::recipe,
                           "openai-judge: there is no home folder to keep judgments in; name one by `cache`");
      }
    }
    std::string name;
    for (const char c : settings_.model.substr(0, 60)) {
      name += std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' ? c : '-';
    }
    return folder / (name + "-" + request_hash(settings_.url, settings_.model).substr(0, 8) + ".jsonl");
  }

  plumb::Judgement ask(const std::string& body, const std::string& hash) {
    std::optional<plumb::Judgement> judgement;
    const server::Outcome outcome = client_.ask({"/chat/completions", body},
                                                [&](const std::string& said) { return accept(said, hash, judgement); });
    if (outcome.verdict == server::Verdict::refused) {
      throw plumb::Error(plumb::ErrorCode::run_failed, "openai-judge: " + outcome.why);
    }
    return judgement ? *judgement : failed(outcome.why);
  }

  // A body that is no chat completion comes from something on the way, such as a proxy: it is asked again.
  std::string accept(const std::string& body, const std::string& hash, std::optional<plumb::Judgement>& judgement) {
    ChatAnswer answer;
    try {
      answer = read_chat_answer(body);
    } catch (const plumb::Error& error) {
      return error.what();
    }
    answer.text = client_.strike(std::move(answer.text));
    answer.failure = client_.strike(std::move(answer.failure));
    if (answer.failure.empty()) {  // an answer without a text is paid for, but another run may do better
      cache_.keep(hash, answer);
      const std::scoped_lock lock(own_mutex_);
      own_.insert(hash);
    }
    ++paid_;
    prompt_tokens_ += answer.prompt_tokens;
    completion_tokens_ += answer.completion_tokens;
    judgement = to_judgement(answer);
    return {};
  }

  Settings settings_;
  plumb::Host& host_;
  server::Client client_;
  JudgmentCache cache_;
  std::mutex own_mutex_;
  std::unordered_set<std::string> own_;  // requests answered in this process
  std::atomic<std::int64_t> paid_{0}, known_{0}, prompt_tokens_{0}, completion_tokens_{0};
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.plumbline.openai-judge", "1.0.0", "Apache-2.0",
             "a language model behind an OpenAI-compatible server" PLUMB_STATUS("stable")) {
  registrar.add<OpenAiJudge>("openai-judge").yields({"text"}).needs({"environment:key_from"});
}
