// MT-Bench: a judge rates two-turn answers from 1 to 10.
//
//   datasets:
//     mt-bench: {source: {name: mt-bench-questions, path: question.jsonl}}
//   stages:
//     rated:
//       {stage: evaluate, models: [aligned], prompts: mt-bench, judge: {name: openai-judge, …}, evaluators: [mt-bench]}
//
// A model's `mean` pools the rated answers of both turns, as FastChat's does; its interval is over questions, since the
// two turns of one are not independent. Source: Zheng et al., arXiv:2306.05685; lm-sys/FastChat, llm_judge.
#include <plumb/benchmarks.h>
#include <plumb/evaluator.h>
#include <plumb/statistics.h>

#include <algorithm>
#include <set>

#include "../beginning.h"
#include "fastchat_files.h"
#include "judge_prompts.h"
#include "questions.h"

#include <plumb/plugin.h>

namespace {

using namespace mt_bench;
using plumb::Value;

constexpr std::size_t both = 2;  // turns, where one is asked for by its number from 0

struct Rated {
  std::size_t model, question, turn;
  RatingPrompt prompt;
  plumb::Judgement judgement;
};

class MtBench final : public plumb::Evaluator {
 public:
  struct Settings {
    std::string judge_prompts, references, judge_name = "judge";
    std::vector<std::string> reference_categories{"math", "reasoning", "coding"};
    Value temperatures = Value::map({{"writing", 0.7},
                                     {"roleplay", 0.7},
                                     {"extraction", 0.0},
                                     {"math", 0.0},
                                     {"coding", 0.0},
                                     {"reasoning", 0.0},
                                     {"stem", 0.1},
                                     {"humanities", 0.1}});
    double tolerated_failures = 0.01;
  };

  static plumb::Params<Settings> params() {
    using S = Settings;
    plumb::Params<S> p{"MT-Bench: two-turn answers rated by the stage's judge, by turn and by category",
                       "arXiv:2306.05685"};
    p.add(&S::judge_prompts, "judge_prompts", "FastChat's judge_prompts.jsonl; empty: our own wording").path();
    p.add(&S::references, "references", "FastChat's reference_answer file; empty: the questions' own references")
        .path();
    p.add(&S::reference_categories, "reference_categories", "where the judge sees the reference answer");
    p.add(&S::temperatures, "temperatures", "of the answers by category; the stage's temperature for others");
    p.add(&S::judge_name, "judge_name", "what the judgment file calls the judge");
    p.add(&S::tolerated_failures, "tolerated_failures", "the share of failed judgements that ends the evaluation")
        .at_least(0)
        .at_most(1);
    p.check([](const S& s) { return check_temperatures(s.temperatures); });
    p.check([](const S& s) {
      return s.judge_name.empty() || s.judge_name.find_first_of("/\\") != std::string::npos
                 ? "judge_name: wanted a plain name"
                 : "";
    });
    return p;
  }

  MtBench(const Settings& settings, plumb::Host& host)
      : settings_(settings), host_(host), prompts_(settings.judge_prompts) {
    if (!settings.references.empty()) references_ = plumb::read_mt_bench_answers(settings.references);
  }

  [[nodiscard]] plumb::Evaluation evaluate(plumb::EvaluationContext& context) override {
    if (context.judge() == nullptr) {
      throw plumb::Error(plumb::ErrorCode::recipe,
                         "evaluator mt-bench needs a judge: give the evaluate stage `judge:`");
    }
    if (context.options().samples != 1) {
      throw plumb::Error(plumb::ErrorCode::recipe,
                         "evaluator mt-bench rates one answer to each question: give the stage samples: 1");
    }
    questions_ = read_questions(context.prompts(), references_, settings_.reference_categories);
    std::vector<Answers> answers;
    for (const std::string& model : context.models()) answers.push_back(generate(context, model));
    const std::vector<Rated> rated = rate(context, answers);

    plumb::Evaluation evaluation;
    for (std::size_t model = 0; model < answers.size(); ++model) {
      add_metrics(context, model, rated, evaluation);
      std::string& file = evaluation.files["mt-bench/model_answer/" + context.models()[model] + ".jsonl"];
      for (std::size_t q = 0; q < questions_.size(); ++q)
        file += answer_line(context.models()[model], questions_[q], answers[model][q]);
    }
    add_rows(context, answers, rated, evaluation);
    add_usage(rated, evaluation);
    return evaluation;
  }

 private:
  using Answers = std::vector<std::vector<std::string>>;  // by question, then turn

  static std::string check_temperatures(const Value& temperatures) {
    if (temperatures.is_null()) return {};
    if (!temperatures.is_map()) return "temperatures: wanted a map from category to number";
    for (const auto& [category, value] : temperatures.as_map()) {
      const bool number = value.type() == Value::Type::real || value.type() == Value::Type::integer;
      if (!number || value.as_double() < 0) return "temperatures: " + category + " wants a number of at least 0";
    }
    return {};
  }

  [[nodiscard]] double temperature_of(const Question& question, double otherwise) const {
    const Value* own = settings_.temperatures.is_map() ? settings_.temperatures.find(question.category) : nullptr;
    return own == nullptr ? otherwise : own->as_double();
  }

  Answers generate(plumb::EvaluationContext& context, const std::string& model) const {
    Answers answers(questions_.size());
    for (std::size_t turn = 0; turn < both; ++turn) {
      std::map<double, std::vector<std::size_t>> by_temperature;
      for (std::size_t q = 0; q < questions_.size(); ++q) {
        if (turn < questions_[q].turns.size())
          by_temperature[temperature_of(questions_[q], context.options().temperature)].push_back(q);
      }
      for (const auto& [temperature, asked] : by_temperature) {
        std::vector<plumb::Prompt> prompts;
        for (const std::size_t q : asked) prompts.push_back(turn_prompt(questions_[q], turn, answers[q]));
        plumb::AnswerOptions options = context.options();
        options.temperature = temperature;
        const auto texts = context.answer(model, prompts, options);
        for (std::size_t i = 0; i < asked.size(); ++i) answers[asked[i]].push_back(texts[i]);
      }
    }
    return answers;
  }

  [[nodiscard]] std::vector<Rated> rate(plumb::EvaluationContext& context, const std::vector<Answers>& answers) const {
    std::vector<Rated> rated;
    std::vector<plumb::JudgeRequest> requests;
    for (std::size_t model = 0; model < answers.size(); ++model) {
      for (std::size_t q = 0; q < questions_.size(); ++q) {
        for (std::size_t turn = 0; turn < questions_[q].turns.size(); ++turn) {
          const auto so_far = std::span(answers[model][q]).first(turn + 1);
          rated.push_back(
              {model, q, turn, prompts_.render({questions_[q].turns, so_far, questions_[q].references}), {}});
          plumb::JudgeRequest request;
          request.id = context.models()[model] + "/" + questions_[q].id + "/" + std::to_string(turn + 1);
          request.prompt = turn_prompt(questions_[q], turn, answers[model][q]);
          request.answer = so_far.back();
          if (!questions_[q].references.empty()) request.reference = questions_[q].references[turn];
          request.messages = rated.back().prompt.messages;
          requests.push_back(std::move(request));
        }
      }
    }
    std::vector<plumb::Judgement> judgements =
        plumb::judge_all(*context.judge(), requests, host_, "ratings", read_rating);
    plumb::accept_failures(judgements, settings_.tolerated_failures);
    for (std::size_t i = 0; i < rated.size(); ++i) rated[i].judgement = std::move(judgements[i]);
    return rated;
  }

  // A judge that is a language model says its rating in words.
  static void read_rating(plumb::Judgement& judgement) {
    if (judgement.score || !judgement.failure.empty()) return;
    judgement.score = plumb::parse_rating(judgement.text);
    if (!judgement.score) {
      judgement.failure = "the judge's answer holds no rating such as [[7]]: " + evaluators::beginning(judgement.text);
    } else if (*judgement.score < 1 || *judgement.score > 10) {
      judgement.failure = "the judge's rating is not from 1 to 10";
      judgement.score.reset();
    }
  }

  // What a number is taken over: answers of one model, of a turn or of both, of a category or of all.
  struct Part {
    std::size_t model, turn = both;
    std::string category = {};
  };

  struct Summary {
    std::map<std::size_t, std::pair<double, double>> by_question;  // sum and number of the ratings
    double sum = 0, count = 0;
    std::int64_t failures = 0;

    [[nodiscard]] std::vector<double> means() const {
      std::vector<double> values;
      for (const auto& [question, rating] : by_question) values.push_back(rating.first / rating.second);
      return values;
    }
  };

  [[nodiscard]] Summary summarise(const std::vector<Rated>& rated, const Part& part) const {
    Summary summary;
    for (const Rated& row : rated) {
      if (row.model != part.model || (part.turn != both && row.turn != part.turn)) continue;
      if (!part.category.empty() && questions_[row.question].category != part.category) continue;
      if (!row.judgement.score) {
        ++summary.failures;
        continue;
      }
      auto& [sum, count] = summary.by_question[row.question];
      sum += *row.judgement.score;
      count += 1;
      summary.sum += *row.judgement.score;
      summary.count += 1;
    }
    return summary;
  }

  // The pooled mean with the interval of the questions' means; these two differ only where judgements failed.
  void add_mean(const std::string& name, const Summary& summary, plumb::Evaluation& evaluation) const {
    if (summary.count == 0) {
      host_.log(plumb::LogLevel::warning, name + ": every judgement failed; there is no mean to report");
      return;
    }
    const plumb::Estimate over_questions = plumb::estimate(summary.means());
    plumb::Metric metric = plumb::to_metric(name, over_questions);
    const double moved = summary.sum / summary.count - over_questions.mean;
    metric.value += moved;
    if (metric.low) *metric.low += moved;
    if (metric.high) *metric.high += moved;
    evaluation.failures[name] = summary.failures;
    evaluation.metrics.push_back(std::move(metric));
  }

  void add_metrics(const plumb::EvaluationContext& context, std::size_t model, const std::vector<Rated>& rated,
                   plumb::Evaluation& evaluation) const {
    const std::string prefix = "mt-bench/" + context.models()[model] + "/";
    const Summary all = summarise(rated, {.model = model});
    add_mean(prefix + "mean", all, evaluation);
    const bool two_turns =
        std::any_of(questions_.begin(), questions_.end(), [](const Question& q) { return q.turns.size() == both; });
    for (std::size_t turn = 0; two_turns && turn < both; ++turn) {
      add_mean(prefix + "turn_" + std::to_string(turn + 1), summarise(rated, {.model = model, .turn = turn}),
               evaluation);
    }
    add_difference(context, prefix, all, rated, evaluation);
    std::set<std::string> categories;
    for (const Question& question : questions_) categories.insert(question.category);
    for (const std::string& category : categories) {
      add_mean(prefix + "category/" + category, summarise(rated, {.model = model, .category = category}), evaluation);
    }
  }

  // By question, of those where both models have a rating.
  void add_difference(const plumb::EvaluationContext& context, const std::string& prefix, const Summary& own,
                      const std::vector<Rated>& rated, plumb::Evaluation& evaluation) const {
    const auto& models = context.models();
    const auto baseline =
        static_cast<std::size_t>(std::find(models.begin(), models.end(), context.baseline()) - models.begin());
    if (baseline == models.size() || prefix == "mt-bench/" + models[baseline] + "/") return;
    const Summary other = summarise(rated, {.model = baseline});
    std::vector<double> left, right;
    for (const auto& [question, rating] : own.by_question) {
      const auto match = other.by_question.find(question);
      if (match == other.by_question.end()) continue;
      left.push_back(rating.first / rating.second);
      right.push_back(match->second.first / match->second.second);
    }
    if (left.empty()) return;
    plumb::Metric metric = plumb::to_metric(prefix + "difference", plumb::paired_difference(left, right));
    evaluation.failures[metric.name] = own.failures + other.failures;
    evaluation.metrics.push_back(std::move(metric));
  }

  // A row for each turn. The question's own score, the mean of its turns, stands in the first: whoever compares models
  // by prompt then counts a question once. The prompt of a second turn is what the user said, the same for every model.
  void add_rows(const plumb::EvaluationContext& context, const std::vector<Answers>& answers,
                const std::vector<Rated>& rated, plumb::Evaluation& evaluation) const {
    std::string& file = evaluation.files["mt-bench/model_judgment/" + settings_.judge_name + "_single.jsonl"];
    std::vector<Summary> summaries;
    for (std::size_t model = 0; model < answers.size(); ++model)
      summaries.push_back(summarise(rated, {.model = model}));
    for (const Rated& row : rated) {
      const Question& question = questions_[row.question];
      const std::string& model = context.models()[row.model];
      file += judgment_line(model, settings_.judge_name, question, row.turn, row.prompt, row.judgement);
      plumb::EvaluatedAnswer answer{turn_prompt(question, row.turn, answers[row.model][row.question]).id,
                                    model,
                                    {},
                                    answers[row.model][row.question][row.turn],
                                    {},
                                    {}};
      for (std::size_t turn = 0; turn <= row.turn; ++turn) answer.prompt.push_back({"user", question.turns[turn]});
      if (row.judgement.score) answer.scores["mt-bench turn " + std::to_string(row.turn + 1)] = *row.judgement.score;
      const auto both_turns = summaries[row.model].by_question.find(row.question);
      if (row.turn == 0 && both_turns != summaries[row.model].by_question.end()) {
        answer.scores["mt-bench"] = both_turns->second.first / both_turns->second.second;
      }
      answer.extra = Value::map({{"category", question.category}, {"judgment", row.judgement.text}});
      if (!row.judgement.failure.empty()) answer.extra.set("failure", row.judgement.failure);
      evaluation.answers.push_back(std::move(answer));
    }
  }

  static void add_usage(const std::vector<Rated>& rated, plumb::Evaluation& evaluation) {
    std::int64_t prompt = 0, completion = 0;
    for (const Rated& row : rated) {
      prompt += row.judgement.prompt_tokens;
      completion += row.judgement.completion_tokens;
    }
    if (prompt + completion == 0) return;
    evaluation.metrics.push_back({"mt-bench judge tokens read", static_cast<double>(prompt)});
    evaluation.metrics.push_back({"mt-bench judge tokens written", static_cast<double>(completion)});
  }

  Settings settings_;
  plumb::Host& host_;
  JudgePrompts prompts_;
  std::map<std::string, std::vector<std::string>> references_;
  std::vector<Question> questions_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.plumbline.mt-bench", "1.0.0", "Apache-2.0",
             "MT-Bench: two-turn answers rated by a judge" PLUMB_STATUS("stable")) {
  registrar.add<MtBench>("mt-bench").needs({"judge:score|text", "one-answer", "second-turn"});
}
