// An evaluator measures models by their answers.
//
//   plumb::Evaluation evaluate(plumb::EvaluationContext& c) override {
//     plumb::Evaluation out;
//     for (const std::string& model : c.models())
//       out.metrics.push_back({.name = "terse/" + model, .value = mean(c.answer(model, c.prompts(), c.options()))});
//     return out;
//   }
//
// Thread contract: evaluate is [lane]; while it runs, its context's answer and reward are [lane], the rest [any].
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "plumb/component.h"
#include "plumb/host.h"
#include "plumb/judge.h"
#include "plumb/params.h"
#include "plumb/records.h"

namespace plumb {
inline namespace v1 {

// How answers are drawn: temperature, then top-k, then top-p, as Sampling (plumb/generator.h) has them.
struct AnswerOptions {
  std::int64_t samples = 1;  // answers per prompt
  std::int64_t max_new_tokens = 512;
  double temperature = 0;  // 0: greedy
  std::int64_t top_k = 0;  // 0: off
  double top_p = 1;
};

// One row of an evaluation's record: a prompt, a model's answer and its scores by name.
struct EvaluatedAnswer {
  std::string prompt_id;
  std::string model;
  Conversation prompt;
  std::string answer;
  std::map<std::string, double> scores;
  Value extra;
};

struct Evaluation {
  std::vector<Metric> metrics;  // KIND/MODEL/MEASURE, or KIND/MODEL for its mean: a column of the tables
  std::vector<EvaluatedAnswer> answers;
  // Judgements that gave nothing, by the name of the metric whose value they are not in. Zero says that judgements were
  // asked for and none failed. They are shown beside the value.
  std::map<std::string, std::int64_t> failures;
  // Further files by name, with / for folders (FastChat's and alpaca_eval's formats).
  std::map<std::string, std::string> files;
};

class EvaluationContext {
 public:
  virtual ~EvaluationContext();
  [[nodiscard]] virtual const std::vector<std::string>& models() const = 0;  // names as the recipe gives them
  [[nodiscard]] virtual std::string baseline() const = 0;                    // the model compared against, or empty
  [[nodiscard]] virtual const std::vector<Prompt>& prompts() const = 0;      // held-out prompts of the stage
  [[nodiscard]] virtual AnswerOptions options() const = 0;                   // as the recipe gives them to the stage

  // Answers of one model, prompts × samples, in order. Cached: asking again costs nothing.
  virtual std::vector<std::string> answer(const std::string& model, std::span<const Prompt> prompts,
                                          const AnswerOptions& options) = 0;

  // The stage's reward model on the given answers; throws Error(recipe) when the stage names none.
  virtual std::vector<double> reward(std::span<const Prompt> prompts, std::span<const std::string> answers) = 0;

  [[nodiscard]] virtual Judge* judge() = 0;  // null when the stage names none
  [[nodiscard]] virtual std::uint64_t seed() const = 0;
};

class Evaluator : public Component {
 public:
  static constexpr const char* kind = "evaluator/1";
  ~Evaluator() override;
  [[nodiscard]] virtual Evaluation evaluate(EvaluationContext& context) = 0;  // [lane]
};

}  // namespace v1
}  // namespace plumb
