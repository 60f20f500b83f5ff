// What isolated components work with in these tests: the plugin of faulty.cpp, a host that keeps what it is told, and
// an evaluation and models whose results are simple functions of their input.
//
//   KeepingHost host;
//   auto judge = make<Judge>("faulty-judge", {{"isolation", "process"}}, host);
//
// Thread contract: as of what they stand for.
#pragma once

#include <tbb/parallel_for.h>

#include <cmath>
#include <mutex>

#include "framework/core/components/make.h"
#include "plumb/evaluator.h"
#include "plumb/judge.h"
#include "plumb/language_models.h"
#include "plumb/selection_policy.h"
#include "tests/plugins/plugin_files.h"

namespace plumb::test {

using Entries = std::initializer_list<std::pair<std::string, Value>>;

class EchoPolicy final : public PolicyHandle {
 public:
  void generate(std::span<const Prompt> prompts, const Sampling& sampling,
                const std::function<void(std::size_t, ResponseGroup&&)>& done) override {
    for (std::size_t i = prompts.size(); i-- > 0;) {
      ResponseGroup group{prompts[i], {1, 2, 3}, {}, {}};
      for (std::int64_t k = 0; k < sampling.responses; ++k) {
        group.responses.push_back({prompts[i].id + std::to_string(k), {5, 6}, FinishReason::length, {}});
      }
      done(i, std::move(group));
    }
  }
};

class LengthReward final : public RewardHandle {
 public:
  std::vector<std::vector<double>> score(std::span<const ResponseGroup> groups) override {
    std::vector<std::vector<double>> out;
    for (const ResponseGroup& group : groups) {
      auto& rewards = out.emplace_back();
      for (const Response& response : group.responses)
        rewards.push_back(std::sqrt(1.0 + static_cast<double>(response.text.size())));
    }
    return out;
  }
};

class FewModels final : public LanguageModels {
 public:
  std::unique_ptr<PolicyHandle> open_policy(const std::string& folder, const OpenOptions&) override {
    if (folder == "absent") throw Error(ErrorCode::data, "absent: no such model");
    ++opened;
    return std::make_unique<EchoPolicy>();
  }
  std::unique_ptr<RewardHandle> open_reward(const std::string&, const OpenOptions& options) override {
    if (options.placement.dtype != "bfloat16") throw Error(ErrorCode::recipe, "wanted bfloat16");
    ++opened;
    return std::make_unique<LengthReward>();
  }
  int opened = 0;
};

class KeepingHost final : public Host {
 public:
  void log(LogLevel level, std::string_view message) override {
    const std::scoped_lock lock(mutex_);
    (level >= LogLevel::warning ? warnings : messages).emplace_back(message);
  }
  void progress(std::string_view, std::size_t, std::size_t) override { ++steps; }
  [[nodiscard]] bool cancelled() const override { return cancel; }
  void parallel_for(std::size_t count, const std::function<void(std::size_t)>& body) override {
    tbb::parallel_for(std::size_t{0}, count, body);
  }
  [[nodiscard]] std::string scratch_folder() override { return scratch.path().string(); }
  [[nodiscard]] std::string recipe_folder() const override { return "/somewhere"; }
  [[nodiscard]] void* query(std::string_view service) override {
    return service == LanguageModels::service ? static_cast<LanguageModels*>(&models) : nullptr;
  }

  Folder scratch;
  FewModels models;
  std::vector<std::string> messages, warnings;
  std::atomic<int> steps{0};
  std::atomic<bool> cancel{false};

 private:
  std::mutex mutex_;
};

class SmallEvaluation final : public EvaluationContext {
 public:
  explicit SmallEvaluation(Judge* judge) : judge_(judge) {
    for (int i = 0; i < 20; ++i) prompts_.push_back({"p" + std::to_string(i), {{"user", std::to_string(i)}}, {}});
  }
  [[nodiscard]] const std::vector<std::string>& models() const override { return names_; }
  [[nodiscard]] std::string baseline() const override { return "before"; }
  [[nodiscard]] const std::vector<Prompt>& prompts() const override { return prompts_; }
  [[nodiscard]] AnswerOptions options() const override { return {2, 10, 1, 0, 1}; }
  std::vector<std::string> answer(const std::string& model, std::span<const Prompt> prompts,
                                  const AnswerOptions& options) override {
    if (fails) throw Stopped{};
    std::vector<std::string> out;
    for (const Prompt& prompt : prompts) {
      for (std::int64_t k = 0; k < options.samples; ++k) out.push_back(model + prompt.id + std::to_string(k));
    }
    return out;
  }
  std::vector<double> reward(std::span<const Prompt>, std::span<const std::string> answers) override {
    std::vector<double> out;
    for (const std::string& answer : answers) out.push_back(1.0 / static_cast<double>(answer.size() + out.size()));
    return out;
  }
  [[nodiscard]] Judge* judge() override { return judge_; }
  [[nodiscard]] std::uint64_t seed() const override { return 0xFFFFFFFFFFFFFFF1; }

  struct Stopped {};  // as no exception of the SDK
  bool fails = false;

 private:
  std::vector<std::string> names_{"before", "after"};
  std::vector<Prompt> prompts_;
  Judge* judge_;
};

inline const Registry& faulty_registry() {
  static const Registry registry = Registry::scan({{kPlugins / "test-faulty.plumb.so"}, {}});
  return registry;
}

template <class T>
std::shared_ptr<T> make(const std::string& name, Entries params, Host& host) {
  return plumb::make<T>(faulty_registry(), name, Value::map(params), host).bare();
}

inline JudgeRequest request(const std::string& id, const std::string& answer = "an answer") {
  return {id, {"p", {{"user", "a question"}}, {}}, answer, "another", "a reference", {{"user", "rate"}}, 0.25};
}

}  // namespace plumb::test
