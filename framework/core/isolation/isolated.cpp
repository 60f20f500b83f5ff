#include "framework/core/isolation/isolated.h"

#include <fmt/format.h>

#include <algorithm>

#include "framework/core/isolation/process_pool.h"
#include "plumb/evaluator.h"
#include "plumb/judge.h"
#include "plumb/selection_policy.h"

namespace plumb {
namespace {

class IsolatedPolicy final : public SelectionPolicy {
 public:
  explicit IsolatedPolicy(std::unique_ptr<ProcessPool> pool) : pool_(std::move(pool)) {}

  [[nodiscard]] Selection select(const ResponseGroup& group, Random random) const override {
    return call<Selection>(Operation::select, packed(group, random.key(), random.counter()),
                           fmt::format("select of prompt {}", group.prompt.id));
  }
  [[nodiscard]] std::optional<double> threshold() const override {
    return call<std::optional<double>>(Operation::threshold, {}, "threshold");
  }

 private:
  template <class T>
  T call(Operation operation, const std::string& args, const std::string& during) const {
    try {
      return pool_->call<T>(operation, args, during);
    } catch (const CallFailed& failed) {
      throw Error(ErrorCode::plugin, failed.why);
    }
  }
  std::unique_ptr<ProcessPool> pool_;
};

class IsolatedEvaluator final : public Evaluator {
 public:
  explicit IsolatedEvaluator(std::unique_ptr<ProcessPool> pool) : pool_(std::move(pool)) {}

  [[nodiscard]] Evaluation evaluate(EvaluationContext& context) override {
    Judge* judge = context.judge();
    const auto* waiting = dynamic_cast<const WaitingJudge*>(judge);
    const std::uint64_t concurrency = waiting == nullptr ? 0 : std::max<std::uint64_t>(waiting->concurrency(), 1);
    try {
      return pool_->call<Evaluation>(Operation::evaluate,
                                     packed(context.models(), context.baseline(), context.prompts(), context.options(),
                                            context.seed(), judge != nullptr, concurrency),
                                     "evaluate", &context);
    } catch (const CallFailed& failed) {
      throw Error(ErrorCode::plugin, failed.why);
    }
  }

 private:
  std::unique_ptr<ProcessPool> pool_;
};

Judgement judged(ProcessPool& pool, const JudgeRequest& request) {
  try {
    return pool.call<Judgement>(Operation::judge, packed(request), fmt::format("judge of request {}", request.id));
  } catch (const CallFailed& failed) {
    Judgement judgement;
    judgement.failure = pool.subject().title() + ": " + failed.why;
    return judgement;
  }
}

class IsolatedJudge final : public Judge {
 public:
  explicit IsolatedJudge(std::unique_ptr<ProcessPool> pool) : pool_(std::move(pool)) {}
  [[nodiscard]] Judgement judge(const JudgeRequest& request) override { return judged(*pool_, request); }

 private:
  std::unique_ptr<ProcessPool> pool_;
};

class IsolatedWaitingJudge final : public WaitingJudge {
 public:
  IsolatedWaitingJudge(std::unique_ptr<ProcessPool> pool, std::size_t concurrency)
      : pool_(std::move(pool)), concurrency_(concurrency) {}
  [[nodiscard]] Judgement judge(const JudgeRequest& request) override { return judged(*pool_, request); }
  [[nodiscard]] std::size_t concurrency() const override { return concurrency_; }

 private:
  std::unique_ptr<ProcessPool> pool_;
  std::size_t concurrency_;
};

}  // namespace

std::unique_ptr<Component> make_isolated(const KnownComponent& component, const Value& params, double call_timeout,
                                         Host& host) {
  const std::string file = component.plugin->file.string();
  auto pool = std::make_unique<ProcessPool>(
      IsolatedSubject{component.info.kind, component.info.name, file, component.plugin->id, component.plugin->version,
                      file_identity(file), params, call_timeout},
      host);
  if (component.info.kind == SelectionPolicy::kind) return std::make_unique<IsolatedPolicy>(std::move(pool));
  if (component.info.kind == Evaluator::kind) return std::make_unique<IsolatedEvaluator>(std::move(pool));
  WireReader made(pool->made());
  const bool waiting = made.take<bool>();
  const auto concurrency = made.take<std::uint64_t>();
  if (!waiting) return std::make_unique<IsolatedJudge>(std::move(pool));
  return std::make_unique<IsolatedWaitingJudge>(std::move(pool), static_cast<std::size_t>(concurrency));
}

}  // namespace plumb
