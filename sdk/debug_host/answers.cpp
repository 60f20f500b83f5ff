// Generators, reward models, judges and evaluators.
#include <cmath>

#include "plumb/evaluator.h"
#include "plumb/generator.h"
#include "plumb/judge.h"
#include "plumb/reward_model.h"
#include "plumb/served_generator.h"
#include "sdk/debug_host/watch.h"

namespace plumb::debug_host {
namespace {

using Done = std::function<void(std::size_t, ResponseGroup&&)>;

// The `done` of one call of generate. The plugin may keep copies of it; they share this.
class Handover {
 public:
  Handover(Watch& watch, std::size_t prompts, const Done& done) : watch_(watch), given_(prompts), done_(&done) {}

  void take(std::size_t prompt, ResponseGroup&& group) {
    const Thread thread = Thread::current();
    if (!enter(prompt, thread)) return;
    struct Leave {
      Handover& of;
      ~Leave() {
        const std::lock_guard lock(of.mutex_);
        of.inside_.reset();
      }
    } leave{*this};
    dwell();
    (*done_)(prompt, std::move(group));
  }

  void end() {
    const std::lock_guard lock(mutex_);
    done_ = nullptr;
  }

 private:
  // False: it cannot be handed over.
  bool enter(std::size_t prompt, const Thread& thread) {
    std::string wanted, found = "a call on " + thread.text();
    bool possible = false, answers = false;
    {
      const std::lock_guard lock(mutex_);
      if (done_ == nullptr) {
        wanted = "no call after generate has returned";
      } else if (prompt >= given_.size()) {
        wanted = "a prompt from 0 to " + std::to_string(given_.size() - 1);
        found = "prompt " + std::to_string(prompt);
        answers = true;
      } else if (given_[prompt]) {
        wanted = "each prompt once";
        found = "prompt " + std::to_string(prompt) + " a second time";
        answers = true;
      } else {
        possible = true;
        given_[prompt] = true;
        if (inside_) {
          wanted = "calls from one thread at a time";
          found += " while " + inside_->text() + " is inside";
        } else {
          inside_ = thread;
        }
      }
    }
    if (wanted.empty()) return true;
    const auto about = answers ? Violation::About::answer : Violation::About::contract;
    const Subject& of = watch_.subject();
    violated({Violation::Fault::plugin, about, of.title, of.stage, "generate's done", wanted, found}, false);
    return possible;
  }

  Watch& watch_;
  std::mutex mutex_;
  std::vector<bool> given_;
  std::optional<Thread> inside_;
  const Done* done_;
};

void watch_generate(Watch& watch, Generator& inner, std::span<const Prompt> prompts, const Sampling& sampling,
                    const Done& done) {
  const auto handover = std::make_shared<Handover>(watch, prompts.size(), done);
  struct End {
    Handover& of;
    ~End() { of.end(); }
  } end{*handover};
  inner.generate(prompts, sampling,
                 [handover](std::size_t i, ResponseGroup&& group) { handover->take(i, std::move(group)); });
}

class WatchedGenerator final : public Watched<Generator> {
 public:
  using Watched::Watched;
  void generate(std::span<const Prompt> prompts, const Sampling& sampling, const Done& done) override {
    const Watch::Call call(watch(), "generate", Tag::lane);
    watch_generate(watch(), inner(), prompts, sampling, done);
  }
};

class WatchedServed final : public Watched<ServedGenerator> {
 public:
  using Watched::Watched;
  void generate(std::span<const Prompt> prompts, const Sampling& sampling, const Done& done) override {
    const Watch::Call call(watch(), "generate", Tag::lane);
    watch_generate(watch(), inner(), prompts, sampling, done);
  }
  [[nodiscard]] std::string engine() const override {
    const Watch::Call call(watch(), "engine", Tag::any);
    return inner().engine();
  }
};

class WatchedRewardModel final : public Watched<RewardModel> {
 public:
  using Watched::Watched;
  [[nodiscard]] std::vector<std::vector<double>> score(std::span<const ResponseGroup> groups) override {
    const Watch::Call call(watch(), "score", Tag::lane);
    return inner().score(groups);
  }
};

Judgement checked(Watch& watch, Judgement judgement) {
  if (judgement.score) {
    watch.require(std::isfinite(*judgement.score), "judge", "a finite score", std::to_string(*judgement.score));
  }
  if (judgement.preference) {
    watch.require(*judgement.preference >= 0 && *judgement.preference <= 1, "judge", "a preference from 0 to 1",
                  std::to_string(*judgement.preference));
  }
  return judgement;
}

template <class Kind>
class WatchedJudge : public Watched<Kind> {
 public:
  using Watched<Kind>::Watched;
  [[nodiscard]] Judgement judge(const JudgeRequest& request) override {
    const Watch::Call call(this->watch(), "judge", Tag::any);
    return checked(this->watch(), this->inner().judge(request));
  }
};

class WatchedWaitingJudge final : public WatchedJudge<WaitingJudge> {
 public:
  using WatchedJudge::WatchedJudge;
  [[nodiscard]] std::size_t concurrency() const override {
    const Watch::Call call(watch(), "concurrency", Tag::any);
    return inner().concurrency();
  }
};

// The context of one call of evaluate. It stays when the call is over: only what it stands for is gone.
class WatchedContext final : public EvaluationContext {
 public:
  WatchedContext(EvaluationContext& context, const Watch& evaluator)
      : context_(context), calls_(part_of(evaluator, "context"), Violation::Fault::plugin, true) {}

  [[nodiscard]] const std::vector<std::string>& models() const override {
    const Watch::Call call(calls_, "models", Tag::any);
    return context_.models();
  }
  [[nodiscard]] std::string baseline() const override {
    const Watch::Call call(calls_, "baseline", Tag::any);
    return context_.baseline();
  }
  [[nodiscard]] const std::vector<Prompt>& prompts() const override {
    const Watch::Call call(calls_, "prompts", Tag::any);
    return context_.prompts();
  }
  [[nodiscard]] AnswerOptions options() const override {
    const Watch::Call call(calls_, "options", Tag::any);
    return context_.options();
  }
  std::vector<std::string> answer(const std::string& model, std::span<const Prompt> prompts,
                                  const AnswerOptions& options) override {
    const Watch::Call call(calls_, "answer", Tag::lane);
    return context_.answer(model, prompts, options);
  }
  std::vector<double> reward(std::span<const Prompt> prompts, std::span<const std::string> answers) override {
    const Watch::Call call(calls_, "reward", Tag::lane);
    return context_.reward(prompts, answers);
  }
  [[nodiscard]] Judge* judge() override {
    const Watch::Call call(calls_, "judge", Tag::any);
    return context_.judge();
  }
  [[nodiscard]] std::uint64_t seed() const override {
    const Watch::Call call(calls_, "seed", Tag::any);
    return context_.seed();
  }

  void end() { calls_.ending(); }

 private:
  EvaluationContext& context_;
  mutable Watch calls_;
};

class WatchedEvaluator final : public Watched<Evaluator> {
 public:
  using Watched::Watched;
  [[nodiscard]] Evaluation evaluate(EvaluationContext& context) override {
    const Watch::Call call(watch(), "evaluate", Tag::lane);
    const Lent<WatchedContext> lent(context, watch());
    return inner().evaluate(*lent);
  }
};

}  // namespace

std::unique_ptr<Component> watch_answers(const std::shared_ptr<Watch>& watch, std::unique_ptr<Component>& made) {
  const std::string& kind = watch->subject().info.kind;
  if (kind == Generator::kind) {
    if (dynamic_cast<ServedGenerator*>(static_cast<Generator*>(made.get())) != nullptr) {
      return behind<WatchedServed, ServedGenerator>(watch, std::move(made));
    }
    return behind<WatchedGenerator, Generator>(watch, std::move(made));
  }
  if (kind == RewardModel::kind) return behind<WatchedRewardModel, RewardModel>(watch, std::move(made));
  if (kind == Evaluator::kind) return behind<WatchedEvaluator, Evaluator>(watch, std::move(made));
  if (kind != Judge::kind) return nullptr;
  if (dynamic_cast<WaitingJudge*>(static_cast<Judge*>(made.get())) != nullptr) {
    return behind<WatchedWaitingJudge, WaitingJudge>(watch, std::move(made));
  }
  return behind<WatchedJudge<Judge>, Judge>(watch, std::move(made));
}

}  // namespace plumb::debug_host
