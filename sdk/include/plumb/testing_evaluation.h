// A fixture for evaluators: models whose answers are fixed.
//
//   plumb::testing::FixedAnswers context;
//   context.prompts_ = {{"p1", {{"user", "?"}}, {}}};
//   context.answers_["sft"] = {"yes"};
//   auto evaluation = evaluator->evaluate(context);
//
// Thread contract: [setup].
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "plumb/evaluator.h"

namespace plumb::testing {

class FixedAnswers final : public EvaluationContext {
 public:
  [[nodiscard]] const std::vector<std::string>& models() const override { return models_; }
  [[nodiscard]] std::string baseline() const override { return baseline_; }
  [[nodiscard]] const std::vector<Prompt>& prompts() const override { return prompts_; }
  [[nodiscard]] AnswerOptions options() const override { return options_; }
  std::vector<std::string> answer(const std::string& model, std::span<const Prompt> prompts,
                                  const AnswerOptions& options) override {
    if (!reply_) return answers_.at(model);
    std::vector<std::string> replies;
    for (const Prompt& prompt : prompts) replies.push_back(reply_(model, prompt, options));
    return replies;
  }
  std::vector<double> reward(std::span<const Prompt>, std::span<const std::string> answers) override {
    std::vector<double> rewards;
    for (const std::string& answer : answers) rewards.push_back(reward_(answer));
    return rewards;
  }
  [[nodiscard]] Judge* judge() override { return judge_; }
  [[nodiscard]] std::uint64_t seed() const override { return 1; }

  std::vector<std::string> models_;
  std::string baseline_;
  std::vector<Prompt> prompts_;
  AnswerOptions options_;
  std::map<std::string, std::vector<std::string>> answers_;  // prompts × samples
  std::function<std::string(const std::string& model, const Prompt&, const AnswerOptions&)>
      reply_;  // instead of answers_
  std::function<double(const std::string&)> reward_ = [](const std::string& text) {
    return static_cast<double>(text.size());
  };
  Judge* judge_ = nullptr;
};

// Scores an answer by a function; negative: a failure.
class FunctionJudge final : public Judge {
 public:
  explicit FunctionJudge(std::function<double(const JudgeRequest&)> score) : score_(std::move(score)) {}
  [[nodiscard]] Judgement judge(const JudgeRequest& request) override {
    const double score = score_(request);
    if (score < 0) return {{}, {}, {}, "the fixture refuses " + request.id};
    return {score, {}, {}, {}};
  }

 private:
  std::function<double(const JudgeRequest&)> score_;
};

}  // namespace plumb::testing
