// Sampling on a server that the user runs: vLLM, SGLang or llama.cpp. Token ids out and token ids back.
//
//   generator:
//     name: remote
//     url: http://127.0.0.1:8000
//     dialect: vllm
//     model: sft                  # as the server calls it
//
// The README beside says what is asked, what is refused and what is kept.
#include <plumb/error.h>
#include <plumb/language_models.h>
#include <plumb/policy_texts.h>
#include <plumb/served_generator.h>
#include <cstdlib>
#include <memory>
#include <mutex>

#include "client.h"
#include "dialect.h"
#include "probe.h"
#include "round.h"

#include <plumb/plugin.h>

namespace {

using namespace remote;

template <class Service>
Service& service_of(plumb::Host& host, const char* what) {
  auto* service = static_cast<Service*>(host.query(Service::service));
  if (service != nullptr) return *service;
  throw plumb::Error(plumb::ErrorCode::run_failed, std::string("this process offers no ") + what);
}

class Remote final : public plumb::ServedGenerator {
 public:
  struct Settings {
    std::string path, url, url_from, model, dialect = "vllm";
    std::int64_t probe = 8;
    server::Access access{.concurrency = 64, .timeout = 600};
    plumb::Placement placement;
  };

  static plumb::Params<Settings> params() {
    using S = Settings;
    plumb::Params<S> p{"sample on a server that serves the model: token ids out and back"};
    p.add(&S::path, "path", "the policy's folder; the sample stage gives its `model`").path();
    p.add(&S::url, "url", "https://HOST[:PORT][/PATH] of the server, without /v1");
    p.add(&S::url_from, "url_from",
          "instead of url: name of the environment variable that holds it; a server that moves is then no other stage");
    p.add(&S::dialect, "dialect", "what the server is").choices(dialect_names());
    p.add(&S::model, "model", "as the server calls it; vllm wants it, sglang serves one");
    p.add(
         &S::probe, "probe",
         "greedy tokens of one prompt that must be those of the model's folder, before each block of prompts and after "
         "each outage; 0: not compared")
        .at_least(0)
        .at_most(4096)
        .unit("tokens");
    p.include(&S::access, server::Access::params());
    p.include(&S::placement, plumb::Placement::params());  // of the model that is compared
    p.check([](const S& s) {
      return s.url.empty() == s.url_from.empty() ? "url: give it, or url_from, and not both" : "";
    });
    p.check([](const S& s) { return s.url.empty() ? "" : wrong_address(s.access, s.url); });
    p.check([](const S& s) {
      if (s.dialect == "vllm" && s.model.empty()) return "model: a vllm server wants the name that it serves";
      return s.dialect == "sglang" && !s.model.empty() ? "model: an sglang server has one model; leave it out" : "";
    });
    return p;
  }

  Remote(const Settings& settings, plumb::Host& host)
      : settings_(settings),
        host_(host),
        dialect_(dialect_of(settings.dialect)),
        client_("remote", address(settings), settings.access, host) {
    if (settings.path.empty()) {
      throw plumb::Error(plumb::ErrorCode::recipe,
                         "path: no model folder is given; name one, or a `model` of the stage");
    }
    texts_ = service_of<plumb::PolicyTexts>(host, "texts of a policy").open_texts(settings.path);
  }

  ~Remote() override {
    if (answers_ == 0) return;
    host_.log(plumb::LogLevel::info, "remote: " + std::to_string(answers_) + " answers by " +
                                         std::to_string(client_.sent()) + " requests to " + client_.place() + ", " +
                                         engine());
  }

  void generate(std::span<const plumb::Prompt> prompts, const plumb::Sampling& sampling,
                const std::function<void(std::size_t, plumb::ResponseGroup&&)>& done) override {
    if (prompts.empty()) return;
    warn_of_filters(sampling);
    Round round(prompts, sampling, *texts_, settings_.model);
    try {
      learn_engine();
      if (settings_.probe > 0) {
        if (!probe_) probe_ = expected(prompts.front(), round.question(0), sampling);
        probe_->compare(client_, dialect_);
      }
      answers_ +=
          round.run(client_, dialect_, probe_.get(), done, static_cast<std::size_t>(settings_.access.concurrency));
    } catch (const server::Stopped&) {  // some prompts stay undone
    }
  }

  [[nodiscard]] std::string engine() const override {
    const std::scoped_lock lock(mutex_);
    return engine_;
  }

 private:
  static std::string wrong_address(const server::Access& access, const std::string& url) {
    const std::string_view bare = std::string_view(url).substr(0, url.find_last_not_of('/') + 1);
    if (bare.ends_with("/v1")) return "url: leave out /v1; a server's other addresses are asked, too";
    return access.wrong(url);
  }

  static std::string address(const Settings& settings) {
    if (settings.url_from.empty()) return settings.url;
    const char* value = std::getenv(settings.url_from.c_str());
    const std::string url = value == nullptr ? "" : value;
    const std::string wrong = url.empty() ? "is not set; export it and run again" : wrong_address(settings.access, url);
    if (wrong.empty()) return url;
    throw plumb::Error(plumb::ErrorCode::recipe,
                       "url_from: the environment variable " + settings.url_from + ": " + wrong);
  }

  // What the local model says greedily: its first tokens after one prompt.
  std::unique_ptr<Probe> expected(const plumb::Prompt& prompt, Question question, const plumb::Sampling& sampling) {
    auto& models = service_of<plumb::LanguageModels>(host_, "language models to compare the server's with");
    plumb::Sampling greedy{
        .responses = 1, .max_new_tokens = std::min(settings_.probe, sampling.max_new_tokens), .temperature = 0};
    std::vector<plumb::TokenId> ids;
    const auto policy = models.open_policy(settings_.path, {.placement = settings_.placement, .rows = 1});
    policy->generate({&prompt, 1}, greedy,
                     [&](std::size_t, plumb::ResponseGroup&& group) { ids = std::move(group.responses.at(0).ids); });
    if (host_.cancelled()) throw server::Stopped{};
    question.max_new_tokens = greedy.max_new_tokens;
    question.temperature = 0;
    question.top_k = 0;
    question.top_p = 1;
    host_.log(plumb::LogLevel::info, "remote: the server's greedy tokens are compared with those of " + settings_.path +
                                         " in " + settings_.placement.dtype +
                                         (settings_.placement.int8() ? " with int8 weights" : "") + " on " +
                                         settings_.placement.device);
    return std::make_unique<Probe>(prompt.id, settings_.path, std::move(question), std::move(ids));
  }

  void learn_engine() {
    std::string version = "of unknown version";
    const server::HttpRequest asked{.target = dialect_.version_target(), .body = "", .get = true};
    const server::Outcome outcome = client_.ask(asked, [&](const std::string& body) {
      try {
        const plumb::Value root = parse_answer(body);
        const plumb::Value* found = field(root, dialect_.version_key().c_str());
        if (found != nullptr && found->is_string()) version = found->as_string().substr(0, 100);
      } catch (const NoAnswer&) {  // it says nothing of itself
      }
      return std::string();
    });
    if (outcome.verdict == server::Verdict::again) refuse_unanswered(client_, outcome.why);
    const std::scoped_lock lock(mutex_);
    engine_ = settings_.dialect + " " + client_.strike(version);
  }

  void warn_of_filters(const plumb::Sampling& sampling) {
    if (warned_ || dialect_.filters_in_order() || sampling.top_k == 0 || sampling.top_p == 1) return;
    warned_ = true;
    host_.log(plumb::LogLevel::warning, "remote: " + settings_.dialect +
                                            " takes top_p of all tokens and not of the top_k; together they leave a "
                                            "few tokens more than sampling here does");
  }

  Settings settings_;
  plumb::Host& host_;
  const Dialect& dialect_;
  server::Client client_;
  std::unique_ptr<plumb::TextsHandle> texts_;
  std::unique_ptr<Probe> probe_;
  std::size_t answers_ = 0;
  bool warned_ = false;
  mutable std::mutex mutex_;
  std::string engine_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.plumbline.remote", "1.0.0", "Apache-2.0",
             "sampling on a server of vLLM, SGLang or llama.cpp" PLUMB_STATUS("experimental")) {
  registrar.add<Remote>("remote").needs({"language-models", "server", "environment:key_from", "environment:url_from"});
}
