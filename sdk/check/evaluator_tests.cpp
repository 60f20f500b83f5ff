// Evaluators: metrics from the answers of models.
#include "plumb/evaluator.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "plumb/error.h"
#include "plumb/testing_evaluation.h"
#include "sdk/check/context.h"
#include "sdk/check/fixtures.h"

namespace plumb::check {
namespace {

// Two models' answers to a dozen prompts, and a judge that fails on the answers of `failing` prompts.
class Scene {
 public:
  explicit Scene(const Context& c, std::size_t failing = 0) {
    Random random = c.random().derive("answers");
    for (std::size_t i = 0; i < 12; ++i) {
      Prompt prompt = some_prompts()[i % 4];
      prompt.id = "question-" + std::to_string(i);
      const Value turns = Value::List{prompt.messages.back().content};
      prompt.extra =
          Value::map({{"question_id", static_cast<std::int64_t>(81 + i)}, {"category", "writing"}, {"turns", turns}});
      answers.prompts_.push_back(std::move(prompt));
    }
    answers.models_ = {"sft", "aligned"};
    answers.baseline_ = "sft";
    answers.options_.samples = 2;
    for (const std::string& model : answers.models_) {
      for (std::size_t i = 0; i < 24; ++i) {
        const std::string mark = i / 2 < failing && model == "aligned" ? "unreadable " : "";
        answers.answers_[model].push_back(mark + model + " says " + std::to_string(random.below(1000)));
      }
    }
    answers.judge_ = &judge;
  }

  void keep_first_answers() {
    answers.options_.samples = 1;
    for (auto& [model, all] : answers.answers_) {
      std::vector<std::string> first;
      for (std::size_t i = 0; i < all.size(); i += 2) first.push_back(all[i]);
      all = std::move(first);
    }
  }

  // Says what programmatic judges and, in the benchmarks' notation, what language models say.
  class ReadingJudge final : public Judge {
   public:
    [[nodiscard]] Judgement judge(const JudgeRequest& request) override {
      Judgement out;
      if (request.answer.starts_with("unreadable") || (request.other && request.other->starts_with("unreadable"))) {
        out.failure = "the answer cannot be read";
        return out;
      }
      const std::uint64_t rating = 1 + Random(3).derive(request.answer).below(10);
      out.score = static_cast<double>(rating);
      out.text = "[[" + std::to_string(rating) + "]]";
      if (!request.other) return out;
      out.preference = rating % 2 == 0 ? 1 : 0;
      out.text = rating % 2 == 0 ? "[[1]]" : "[[2]]";
      return out;
    }
  };

  ReadingJudge judge;
  testing::FixedAnswers answers;
};

std::string text(const Evaluation& evaluation) {
  std::string out;
  for (const Metric& metric : evaluation.metrics) {
    out += metric.name + " " + exact(metric.value) + " " + exact(metric.low.value_or(0)) + " " +
           exact(metric.high.value_or(0)) + " " + exact(metric.standard_error.value_or(0)) + " " +
           std::to_string(metric.count.value_or(-1)) + "\n";
  }
  for (const EvaluatedAnswer& row : evaluation.answers) {
    out += row.model + " " + row.prompt_id + " " + row.answer;
    for (const auto& [name, score] : row.scores) out += " " + name + "=" + exact(score);
    out += "\n";
  }
  for (const auto& [name, count] : evaluation.failures) out += name + " " + std::to_string(count) + " failed\n";
  for (const auto& [name, content] : evaluation.files) out += name + "\n" + content + "\n";
  return out;
}

// Some evaluators want one answer to each prompt, and say so as an error of the recipe.
Evaluation evaluate(Evaluator& evaluator, Scene& scene) {
  try {
    return evaluator.evaluate(scene.answers);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::recipe) throw;
  }
  scene.keep_first_answers();
  return evaluator.evaluate(scene.answers);
}

Evaluation evaluated(Made& made, Scene& scene) {
  return evaluate(made.as<Evaluator>(), scene);
}

std::string use(Context& c, Component& component) {
  Scene scene(c);
  return text(evaluate(static_cast<Evaluator&>(component), scene));
}

void metrics(Context& c) {
  Scene scene(c);
  Made made = c.make();
  const Evaluation evaluation = evaluated(made, scene);
  require(!evaluation.metrics.empty() || !evaluation.files.empty(), "it measured nothing: no metric and no file");
  std::set<std::string> names;
  for (const Metric& metric : evaluation.metrics) {
    require(!metric.name.empty(), "a metric has no name");
    require(names.insert(metric.name).second, "two metrics are called " + metric.name);
    require(std::isfinite(metric.value), metric.name + " is " + exact(metric.value));
  }
}

void intervals(Context& c) {
  Scene scene(c);
  Made made = c.make();
  for (const Metric& metric : evaluated(made, scene).metrics) {
    const double low = metric.low.value_or(metric.value), high = metric.high.value_or(metric.value);
    const double slack = 1e-9 * (1 + std::abs(metric.value));
    require(
        !(low > metric.value + slack) && !(high < metric.value - slack),
        metric.name + " = " + exact(metric.value) + " lies outside its interval " + exact(low) + " to " + exact(high));
    require(!metric.standard_error || *metric.standard_error >= 0, metric.name + " has a negative standard error");
    require(!metric.count || *metric.count >= 0, metric.name + " has a negative count");
  }
}

void rows(Context& c) {
  Scene scene(c);
  Made made = c.make();
  const auto& models = scene.answers.models_;
  for (const EvaluatedAnswer& row : evaluated(made, scene).answers) {
    require(std::find(models.begin(), models.end(), row.model) != models.end(),
            "a row names the unknown model " + row.model);
    const auto& prompts = scene.answers.prompts_;
    require(std::any_of(prompts.begin(), prompts.end(), [&](const Prompt& p) { return p.id == row.prompt_id; }),
            "a row names the unknown prompt " + row.prompt_id);
    const auto& given = scene.answers.answers_[row.model];
    require(std::find(given.begin(), given.end(), row.answer) != given.end(),
            "a row for " + row.model + " holds an answer that the model did not give");
  }
}

// A mean over what the judge could read flatters: the failures must show.
void failures(Context& c) {
  if (!c.needs("judge")) throw Skip{"it asks no judge"};
  Scene good(c), bad(c, 3);
  Made made = c.make();
  const Evaluation all = evaluated(made, good);
  Evaluation some;
  try {
    some = evaluated(made, bad);
  } catch (const Error&) {
    return;  // it refuses to measure on half the answers
  }
  for (const auto& [name, count] : some.failures) {
    if (count > 0) return;
  }
  std::map<std::string, std::int64_t> counts;
  for (const Metric& metric : all.metrics) counts[metric.name] = metric.count.value_or(-1);
  for (const Metric& metric : some.metrics) {
    const bool counted = metric.name.find("fail") != std::string::npos && metric.value > 0;
    if (counted || metric.count.value_or(-1) != counts[metric.name]) return;
  }
  throw Failure{"the judge failed on three answers of a model, and neither Evaluation::failures nor an error says so"};
}

}  // namespace

Kind evaluator_kind() {
  return {Evaluator::kind,
          "evaluator",
          use,
          nullptr,
          {
              {"evaluator.metrics", "metrics have names of their own and finite values", metrics},
              {"evaluator.intervals", "a metric lies in its interval; errors and counts are not negative", intervals},
              {"evaluator.rows", "rows name models, prompts and answers that were given", rows},
              {"evaluator.failures", "judgements that failed are counted or end the evaluation", failures},
          }};
}

}  // namespace plumb::check
