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
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <thread>
#include <unordered_set>

#include "connection_pool.h"
#include "judgment_cache.h"
#include "retry.h"
#include "secret.h"

#include <plumb/plugin.h>

namespace {

using namespace openai;
namespace fs = std::filesystem;

class OpenAiJudge final : public plumb::WaitingJudge {
 public:
  struct Settings {
    std::string url, model, key_from, ca_file, cache;
    std::int64_t max_tokens = 2048, concurrency = 8, attempts = 8;
    double timeout = 120, connect_timeout = 10, first_wait = 0.5, longest_wait = 60;
    plumb::Value extra;
  };

  static plumb::Params<Settings> params() {
    using S = Settings;
    plumb::Params<S> p{"a language model behind an OpenAI-compatible server"};
    p.add(&S::url, "url", "https://HOST[:PORT]/PATH up to, without, /chat/completions").required();
    p.add(&S::model, "model", "as the server calls it").required();
    p.add(&S::key_from, "key_from", "name of the environment variable that holds the key; empty: no key is sent");
    p.add(&S::ca_file, "ca_file", "PEM file of the authorities to trust instead of the system's").path();
    p.add(&S::cache, "cache", "folder that keeps what was answered; empty: plumb/judgments in the user's cache folder");
    p.add(&S::max_tokens, "max_tokens", "an answer is cut here").at_least(1).unit("tokens");
    p.add(&S::concurrency, "concurrency", "requests under way at once").at_least(1).at_most(256);
    p.add(&S::attempts, "attempts", "how often one request is sent at most").at_least(1).at_most(100);
    p.add(&S::timeout, "timeout", "of one request, from its first byte to the answer's last")
        .above(0)
        .at_most(86400)
        .unit("s");
    p.add(&S::connect_timeout, "connect_timeout", "for the name, the connection and TLS, each")
        .above(0)
        .at_most(3600)
        .unit("s");
    p.add(&S::first_wait, "first_wait", "before the second attempt; doubles from attempt to attempt")
        .at_least(0)
        .at_most(3600)
        .unit("s");
    p.add(&S::longest_wait, "longest_wait", "between two attempts; a server that asks for more gets it, up to 60 s")
        .at_least(0)
        .at_most(3600)
        .unit("s");
    p.add(&S::extra, "extra", "further keys of the request's body, such as top_p; null takes one out");
    p.check([](const S& s) { return wrong_url(s.url); });
    p.check([](const S& s) { return wrong_variable(s.key_from); });
    p.check([](const S& s) {
      const Url url = parse_url(s.url);
      const bool seen_by_others = !s.key_from.empty() && !url.tls && !is_loopback(url);
      return seen_by_others ? "url: the key would travel in the clear; give a url with https://" : "";
    });
    p.check([](const S& s) { return s.extra.is_null() || s.extra.is_map() ? "" : "extra wants a map"; });
    return p;
  }

  OpenAiJudge(const Settings& settings, plumb::Host& host)
      : settings_(settings),
        host_(host),
        url_(parse_url(settings.url)),
        key_(settings.key_from),
        trust_(in_recipe(settings.ca_file)),
        cache_(cache_file()),
        pool_([this] { return connect(); }, settings.concurrency) {
    if (cache_.unreadable() > 0) {
      host_.log(plumb::LogLevel::warning, cache_.file().string() + ": passed over " +
                                              std::to_string(cache_.unreadable()) + " lines that cannot be read");
    }
  }

  ~OpenAiJudge() override {
    host_.log(plumb::LogLevel::info,
              "openai-judge: " + std::to_string(paid_) + " judgments by " + std::to_string(sent_) + " requests (" +
                  std::to_string(prompt_tokens_) + " + " + std::to_string(completion_tokens_) + " tokens), " +
                  std::to_string(known_) + " known from before; kept in " + cache_.file().string());
  }

  [[nodiscard]] std::size_t concurrency() const override { return static_cast<std::size_t>(settings_.concurrency); }

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
      if (!claim) throw Stopped{};
      if (auto known = find(hash, request.anew)) return from_before(*known);
      return ask(body, hash);
    } catch (const Stopped&) {
      return failed("stopped");
    } catch (const Untrusted& error) {
      throw plumb::Error(plumb::ErrorCode::run_failed,
                         std::string("openai-judge: ") + error.what() +
                             "; nothing was sent. `ca_file` names further authorities to trust");
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

  [[nodiscard]] std::string in_recipe(const std::string& path) const {
    return path.empty() ? path : (fs::path(host_.recipe_folder()) / path).string();
  }

  // One file for each address and model, so that one judge's file stays readable to a person.
  [[nodiscard]] fs::path cache_file() const {
    fs::path folder = in_recipe(settings_.cache);
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

  std::unique_ptr<Connection> connect() {
    return std::make_unique<Connection>(url_, trust_, TimeLimits{settings_.connect_timeout, settings_.timeout},
                                        [this] { return host_.cancelled(); });
  }

  plumb::Judgement ask(const std::string& body, const std::string& hash) {
    std::string last;  // why the last attempt failed
    std::optional<double> asked;
    for (std::int64_t attempt = 1; attempt <= settings_.attempts; ++attempt) {
      if (attempt > 1) wait(wait_before(attempt, asked, limits(), uniform()));
      asked.reset();
      try {
        const HttpAnswer answer = send(body);
        const std::string said = "status " + std::to_string(answer.status) + ": " + shown(answer.body);
        switch (verdict_on(answer.status, answer.body)) {
          case Verdict::answered:
            if (auto judgement = accept(answer.body, hash, last)) return *judgement;
            break;
          case Verdict::again:
            asked = asked_to_wait(answer.retry_after, answer.retry_after_ms, std::time(nullptr));
            last = said;
            break;
          case Verdict::failed:
            return failed(said);
          case Verdict::refused:
            throw plumb::Error(plumb::ErrorCode::run_failed,
                               "openai-judge: the server refuses every request: " + said +
                                   "; check url, model and key_from (a redirection is not followed)");
        }
      } catch (const Broken& error) {
        last = error.what();
      }
    }
    return failed("no answer after " + std::to_string(settings_.attempts) + " attempts; the last: " + last);
  }

  // The key is struck out before the text is cut: half a key would not be found any more.
  [[nodiscard]] std::string shown(const std::string& body) const {
    constexpr std::size_t longest = 300;
    const std::string message = key_.strike(error_message(body));
    return message.size() <= longest ? message : message.substr(0, longest) + "…";
  }

  HttpAnswer send(const std::string& body) {
    std::vector<std::pair<std::string, std::string>> headers;
    if (!key_.empty()) headers.emplace_back("Authorization", key_.header());
    ++sent_;
    return pool_.post(url_.path + "/chat/completions", headers, body);
  }

  // A body that is no chat completion comes from something on the way, such as a proxy: it is asked again.
  std::optional<plumb::Judgement> accept(const std::string& body, const std::string& hash, std::string& why) {
    ChatAnswer answer;
    try {
      answer = read_chat_answer(body);
    } catch (const plumb::Error& error) {
      why = key_.strike(error.what()) + ": " + shown(body);
      return std::nullopt;
    }
    answer.text = key_.strike(std::move(answer.text));
    answer.failure = key_.strike(std::move(answer.failure));
    if (answer.failure.empty()) {  // an answer without a text is paid for, but another run may do better
      cache_.keep(hash, answer);
      const std::scoped_lock lock(own_mutex_);
      own_.insert(hash);
    }
    ++paid_;
    prompt_tokens_ += answer.prompt_tokens;
    completion_tokens_ += answer.completion_tokens;
    return to_judgement(answer);
  }

  [[nodiscard]] RetryLimits limits() const {
    return {settings_.attempts, settings_.first_wait, settings_.longest_wait};
  }

  // Spreads clients apart; no result depends on it.
  static double uniform() {
    thread_local std::minstd_rand engine{std::random_device{}()};
    return std::uniform_real_distribution<>(0, 1)(engine);
  }

  void wait(double seconds) const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    while (std::chrono::steady_clock::now() < end) {
      if (host_.cancelled()) throw Stopped{};
      const std::chrono::duration<double> left = end - std::chrono::steady_clock::now();
      std::this_thread::sleep_for(std::min<std::chrono::duration<double>>(left, std::chrono::milliseconds(100)));
    }
  }

  Settings settings_;
  plumb::Host& host_;
  Url url_;
  Secret key_;
  Trust trust_;
  JudgmentCache cache_;
  std::mutex own_mutex_;
  std::unordered_set<std::string> own_;  // requests answered in this process
  std::atomic<std::int64_t> sent_{0}, paid_{0}, known_{0}, prompt_tokens_{0}, completion_tokens_{0};
  ConnectionPool pool_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.plumbline.openai-judge", "1.0.0", "Apache-2.0",
             "a language model behind an OpenAI-compatible server" PLUMB_STATUS("stable")) {
  registrar.add<OpenAiJudge>("openai-judge").yields({"text"}).needs({"environment:key_from"});
}
