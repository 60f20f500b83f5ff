// A judge, an evaluator and a policy that fail in the way, on the call and on the input that their parameters say. What
// they compute when they do not fail has many digits, so that a bit that is lost shows.
#include <fcntl.h>
#include <plumb/evaluator.h>
#include <plumb/judge.h>
#include <plumb/plugin.h>
#include <plumb/selection_policy.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <thread>

#include <plumb/language_models.h>

namespace {

struct Settings {
  std::string fault = "none", when, pids, model;
  std::int64_t call = 0;
};

plumb::Params<Settings> declare(const char* doc) {
  plumb::Params<Settings> p{doc};
  p.add(&Settings::fault, "fault", "what happens")
      .choices({"none", "crash", "abort", "exit", "quick-exit", "number", "foreign", "error", "hang", "busy",
                "terminate", "close", "closing-crash", "fork"});
  p.add(&Settings::call, "call", "on which call of a process; 0: on every one").at_least(0);
  p.add(&Settings::when, "when", "only for the prompt or request of this id");
  p.add(&Settings::pids, "pids", "a file that is told the number of each process that makes one");
  p.add(&Settings::model, "model", "of an evaluator: a folder that the host opens models from");
  return p;
}

volatile int zero = 0;

void hang() {
  while (zero == 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

class Trap {
 public:
  explicit Trap(const Settings& fault) : fault_(fault) {
    if (!fault.pids.empty()) std::ofstream(fault.pids, std::ios::app) << ::getpid() << std::endl;
  }
  ~Trap() {
    if (fault_.fault == "closing-crash") *reinterpret_cast<volatile int*>(static_cast<std::intptr_t>(zero)) = 1;
  }

  void step(const std::string& id) const {
    const std::int64_t call = ++calls_;
    if (fault_.call != 0 && fault_.call != call) return;
    if (!fault_.when.empty() && fault_.when != id) return;
    const std::string& fault = fault_.fault;
    if (fault == "none" || fault == "closing-crash") return;
    std::fprintf(stderr, "about to %s\n", fault.c_str());
    if (fault == "crash") *reinterpret_cast<volatile int*>(static_cast<std::intptr_t>(zero)) = 1;
    if (fault == "abort") std::abort();
    if (fault == "exit") std::exit(3);
    if (fault == "quick-exit") ::_exit(0);
    if (fault == "number") throw 42;
    if (fault == "foreign") throw std::out_of_range("no such row");
    if (fault == "error") throw plumb::Error(plumb::ErrorCode::data, "rows.txt: no such file");
    if (fault == "hang") hang();
    if (fault == "busy") {
      while (zero == 0) {
      }
    }
    if (fault == "terminate") std::thread([] { throw std::runtime_error("in a thread"); }).join();
    if (fault == "close") {
      for (int fd = 3; fd < 64; ++fd) ::close(fd);
      hang();
    }
    if (fault == "fork") {
      if (::fork() == 0) hang();
      std::abort();
    }
  }

 private:
  Settings fault_;
  mutable std::atomic<std::int64_t> calls_{0};
};

double worth(const std::string& text) {
  double out = 0.1;
  for (const char c : text) out = std::sin(out * 37.7 + static_cast<unsigned char>(c));
  return out;
}

template <class Base>
class AnyJudge : public Base {
 public:
  using Settings = ::Settings;
  static plumb::Params<Settings> params() { return declare("rates answers, or fails"); }
  AnyJudge(const Settings& settings, plumb::Host& host) : trap_(settings), host_(host) {}
  [[nodiscard]] plumb::Judgement judge(const plumb::JudgeRequest& request) override {
    trap_.step(request.id);
    plumb::Judgement out;
    if (request.id == "wait") {
      while (!host_.cancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
      out.failure = "stopped";
      return out;
    }
    out.score = worth(request.answer + request.prompt.messages.back().content);
    if (request.other) out.preference = *out.score > worth(*request.other) ? 1 : 0;
    out.text = "said of " + request.id;
    out.completion_tokens = 7;
    host_.log(plumb::LogLevel::debug, "judged " + request.id);
    return out;
  }

 private:
  Trap trap_;
  plumb::Host& host_;
};

using PlainJudge = AnyJudge<plumb::Judge>;

class PatientJudge final : public AnyJudge<plumb::WaitingJudge> {
 public:
  using AnyJudge::AnyJudge;
  [[nodiscard]] std::size_t concurrency() const override { return 3; }
  [[nodiscard]] plumb::Judgement judge(const plumb::JudgeRequest& request) override {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return AnyJudge::judge(request);
  }
};

// Uses everything that a host and an evaluation offer.
class Thorough final : public plumb::Evaluator {
 public:
  using Settings = ::Settings;
  static plumb::Params<Settings> params() { return declare("measures everything"); }
  Thorough(const Settings& settings, plumb::Host& host) : trap_(settings), settings_(settings), host_(host) {}

  [[nodiscard]] plumb::Evaluation evaluate(plumb::EvaluationContext& context) override {
    plumb::Evaluation out;
    for (const std::string& model : context.models()) {
      const auto answers = context.answer(model, context.prompts(), context.options());
      trap_.step(model);
      std::vector<plumb::Prompt> prompts;
      std::vector<plumb::JudgeRequest> requests;
      const auto samples = static_cast<std::size_t>(context.options().samples);
      for (std::size_t i = 0; i < answers.size(); ++i) {
        prompts.push_back(context.prompts()[i / samples]);
        requests.push_back({model + "/" + std::to_string(i), prompts.back(), answers[i], {}, {}, {}, 0});
      }
      const auto rewards = context.reward(prompts, answers);
      double sum = 0;
      std::int64_t failed = 0;
      if (context.judge() != nullptr) {
        for (const plumb::Judgement& judged : plumb::judge_all(*context.judge(), requests, host_)) {
          judged.failure.empty() ? sum += *judged.score : ++failed;
        }
      }
      for (std::size_t i = 0; i < answers.size(); ++i) {
        out.answers.push_back({prompts[i].id, model, prompts[i].messages, answers[i], {{"reward", rewards[i]}}, {}});
      }
      out.metrics.push_back({model + "/sum", sum, -INFINITY, std::nan("7"), {}, static_cast<std::int64_t>(failed)});
      out.failures[model + "/sum"] = failed;
    }
    if (!settings_.model.empty()) use_models(out);
    std::ofstream(host_.scratch_folder() + "/thorough.txt") << "was here";
    out.files["seed.txt"] = std::to_string(context.seed()) + " " + context.baseline() + " " + host_.recipe_folder();
    return out;
  }

 private:
  void use_models(plumb::Evaluation& out) {
    auto* models = static_cast<plumb::LanguageModels*>(host_.query(plumb::LanguageModels::service));
    if (models == nullptr) throw plumb::Error(plumb::ErrorCode::plugin, "this host opens no models");
    const plumb::Prompt prompt{"p", {{"user", "hello"}}, {}};
    const auto policy = models->open_policy(settings_.model);
    const auto head = models->open_reward(settings_.model, {.placement = {.dtype = "bfloat16"}});
    std::vector<plumb::ResponseGroup> groups(2);
    plumb::Sampling sampling;
    sampling.responses = 2;
    const std::vector<plumb::Prompt> prompts{prompt, prompt};
    policy->generate(prompts, sampling, [&](std::size_t i, plumb::ResponseGroup&& group) { groups[i] = group; });
    std::vector<double> all(64);
    host_.parallel_for(all.size(), [&](std::size_t i) { all[i] = worth(std::to_string(i)); });
    double sum = 0;
    for (const double one : all) sum += one;
    for (const auto& rewards : head->score(groups)) {
      for (const double reward : rewards) sum += reward;
    }
    out.metrics.push_back({"models", sum, {}, {}, {}, {}});
    if (host_.query("another-service/1") != nullptr) throw std::logic_error("there is no such service");
  }

  Trap trap_;
  Settings settings_;
  plumb::Host& host_;
};

class Chance final : public plumb::SelectionPolicy {
 public:
  using Settings = ::Settings;
  static plumb::Params<Settings> params() { return declare("pairs by chance, or fails"); }
  Chance(const Settings& settings, plumb::Host&) : trap_(settings) {}

  [[nodiscard]] plumb::Selection select(const plumb::ResponseGroup& group, plumb::Random random) const override {
    trap_.step(group.prompt.id);
    plumb::Selection out;
    const int count = static_cast<int>(group.responses.size());
    for (int j = 0; j < count; ++j) {
      for (int l = 0; l < count; ++l) {
        if (j == l) continue;
        const double gap = random.normal();
        if (gap > 1) out.pairs.push_back({j, l});
        out.audit.push_back({{j, l}, gap, gap > 1, gap > 1 ? "kept" : "gap"});
      }
    }
    return out;
  }
  [[nodiscard]] std::optional<double> threshold() const override { return 1 / 3.0; }

 private:
  Trap trap_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "test.faulty", "1.0.0", "Apache-2.0", "fails as it is told") {
  registrar.add<PlainJudge>("faulty-judge");
  registrar.add<PatientJudge>("patient-judge");
  registrar.add<Thorough>("thorough");
  registrar.add<Chance>("chance").yields({"pairs"});
}
