// AlpacaEval: how often a judge prefers a model's answer to a reference's.
//
//   datasets:
//     instructions: {source: {name: alpaca-eval-instructions, path: text_davinci_003/model_outputs.json}}
//   stages:
//     wins: {stage: evaluate, models: [aligned], prompts: instructions, judge: {name: openai-judge, …},
//            evaluators: [alpaca-eval]}
//
// The reference is `reference_outputs` if given, else the outputs that came with the prompts, else the stage's
// baseline. Which of the two answers the judge sees first is drawn by the run's seed and the instruction. Equal answers
// are a draw and nobody is asked. Source: Dubois et al., arXiv:2305.14387; tatsu-lab/alpaca_eval.
#include <plumb/benchmarks.h>
#include <plumb/evaluator.h>
#include <plumb/random.h>
#include <plumb/statistics.h>
#include <plumb/utf8.h>

#include <algorithm>

#include "../beginning.h"
#include "comparison_prompt.h"

#include <plumb/plugin.h>

namespace {

using namespace alpaca_eval;
using plumb::Value;

struct Reference {
  std::string name;
  std::vector<std::string> outputs;  // by prompt
  bool is_baseline = false;
};

struct Compared {
  std::size_t prompt;
  bool model_first = false, equal = false;
  plumb::Judgement judgement;  // its preference is the model's
};

class AlpacaEval final : public plumb::Evaluator {
 public:
  struct Settings {
    std::string reference_outputs, judge_prompt, judge_name = "judge";
    bool swap = true;
    double tolerated_failures = 0.01;
  };

  static plumb::Params<Settings> params() {
    using S = Settings;
    plumb::Params<S> p{"AlpacaEval: win rate against reference outputs by the stage's judge", "arXiv:2305.14387"};
    p.add(&S::reference_outputs, "reference_outputs", "alpaca_eval's model_outputs.json of the model to compare with")
        .path();
    p.add(&S::judge_prompt, "judge_prompt",
          "a prompt template of alpaca_eval, answered by a ranked list; empty: our own wording")
        .path();
    p.add(&S::swap, "swap", "draw which answer the judge sees first; false: the reference's always");
    p.add(&S::judge_name, "judge_name", "what the annotations call the judge");
    p.add(&S::tolerated_failures, "tolerated_failures", "the share of failed judgements that ends the evaluation")
        .at_least(0)
        .at_most(1);
    return p;
  }

  AlpacaEval(const Settings& settings, plumb::Host& host)
      : settings_(settings), host_(host), prompt_(settings.judge_prompt) {}

  [[nodiscard]] plumb::Evaluation evaluate(plumb::EvaluationContext& context) override {
    if (context.judge() == nullptr) {
      throw plumb::Error(plumb::ErrorCode::recipe,
                         "evaluator alpaca-eval needs a judge: give the evaluate stage `judge:`");
    }
    if (context.options().samples != 1) {
      throw plumb::Error(plumb::ErrorCode::recipe,
                         "evaluator alpaca-eval compares one answer to each prompt: give the stage samples: 1");
    }
    plumb::Evaluation evaluation;
    const Reference reference = find_reference(context);
    std::vector<std::pair<std::string, std::vector<std::string>>> answers;
    for (const std::string& model : context.models()) {
      if (reference.is_baseline && model == reference.name) continue;
      answers.emplace_back(model, context.answer(model, context.prompts(), context.options()));
    }
    for (const auto& [model, outputs] : answers) {
      const std::vector<Compared> compared = compare(context, model, outputs, reference);
      add_metrics(model, outputs, reference, compared, evaluation);
      add_rows(context, model, outputs, reference, compared, evaluation);
    }
    return evaluation;
  }

 private:
  static const std::string& instruction_of(const plumb::Prompt& prompt) { return prompt.messages.back().content; }

  [[nodiscard]] Reference find_reference(plumb::EvaluationContext& context) const {
    const auto& prompts = context.prompts();
    Reference reference{"reference", {}};
    if (!settings_.reference_outputs.empty()) {
      std::map<std::string, std::string> outputs;
      for (auto& row : plumb::read_alpaca_outputs(settings_.reference_outputs)) {
        if (!row.generator.empty()) reference.name = row.generator;
        outputs[row.instruction] = std::move(row.output);
      }
      for (const plumb::Prompt& prompt : prompts) {
        const auto found = outputs.find(instruction_of(prompt));
        if (found == outputs.end()) {
          throw plumb::Error(plumb::ErrorCode::data, settings_.reference_outputs + ": no output for prompt " +
                                                         prompt.id +
                                                         "; the prompts must be the instructions of this file");
        }
        reference.outputs.push_back(found->second);
      }
      return reference;
    }
    const auto own = [](const plumb::Prompt& prompt) {
      return prompt.extra.is_map() ? prompt.extra.find("reference") : nullptr;
    };
    const auto has_own = [&](const plumb::Prompt& prompt) {
      return own(prompt) != nullptr && own(prompt)->is_string();
    };
    if (!prompts.empty() && std::all_of(prompts.begin(), prompts.end(), has_own)) {
      for (const plumb::Prompt& prompt : prompts) reference.outputs.push_back(own(prompt)->as_string());
      const Value* generator = prompts.front().extra.find("generator");
      if (generator != nullptr && generator->is_string() && !generator->as_string().empty())
        reference.name = generator->as_string();
      return reference;
    }
    if (context.baseline().empty()) {
      throw plumb::Error(
          plumb::ErrorCode::recipe,
          "evaluator alpaca-eval has nothing to compare with: give it `reference_outputs`, take prompts that "
          "carry outputs, or give the evaluate stage a `baseline`");
    }
    return {context.baseline(), context.answer(context.baseline(), prompts, context.options()), true};
  }

  std::vector<Compared> compare(plumb::EvaluationContext& context, const std::string& model,
                                const std::vector<std::string>& outputs, const Reference& reference) const {
    const auto& prompts = context.prompts();
    std::vector<Compared> compared;
    std::vector<plumb::JudgeRequest> requests;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      const std::string& instruction = instruction_of(prompts[i]);
      plumb::Random draw = plumb::Random(context.seed()).derive("alpaca-eval").derive(instruction);
      compared.push_back({i, settings_.swap && draw.uniform() < 0.5, outputs[i] == reference.outputs[i], {}});
      if (compared.back().equal) continue;
      const std::string& first = compared.back().model_first ? outputs[i] : reference.outputs[i];
      const std::string& second = compared.back().model_first ? reference.outputs[i] : outputs[i];
      plumb::JudgeRequest request;
      request.id = model + "/" + prompts[i].id;
      request.prompt = {prompts[i].id, prompts[i].messages, {}};
      request.answer = first;
      request.other = second;
      request.messages = prompt_.render(instruction, first, second);
      requests.push_back(std::move(request));
    }
    std::vector<plumb::Judgement> judgements =
        plumb::judge_all(*context.judge(), requests, host_, "comparisons of " + model,
                         [this](plumb::Judgement& judgement) { read_preference(judgement); });
    plumb::accept_failures(judgements, settings_.tolerated_failures);
    auto next = judgements.begin();
    for (Compared& row : compared) {
      if (row.equal) {
        row.judgement.preference = 0.5;
        continue;
      }
      row.judgement = std::move(*next++);
      if (row.judgement.preference && !row.model_first) row.judgement.preference = 1 - *row.judgement.preference;
    }
    return compared;
  }

  void read_preference(plumb::Judgement& judgement) const {
    if (judgement.preference || !judgement.failure.empty()) return;
    judgement.preference = prompt_.verdict(judgement.text);
    if (judgement.preference) return;
    judgement.failure =
        "the judge's answer is no " + std::string(prompt_.wanted()) + ": " + evaluators::beginning(judgement.text);
  }

  static void add_metrics(const std::string& model, const std::vector<std::string>& outputs, const Reference& reference,
                          const std::vector<Compared>& compared, plumb::Evaluation& evaluation) {
    const std::string prefix = "alpaca-eval/" + model + "/";
    std::vector<double> preferences, lengths;
    std::int64_t failures = 0, prompt_tokens = 0, completion_tokens = 0;
    for (const Compared& row : compared) {
      if (row.judgement.preference) {
        preferences.push_back(*row.judgement.preference);
      } else {
        ++failures;
      }
      prompt_tokens += row.judgement.prompt_tokens;
      completion_tokens += row.judgement.completion_tokens;
    }
    for (const std::string& output : outputs) lengths.push_back(static_cast<double>(plumb::count_characters(output)));
    plumb::Metric wins =
        plumb::to_metric(prefix + (reference.is_baseline ? "win_rate" : "win_rate_over_" + reference.name),
                         plumb::win_rate(preferences));
    evaluation.failures[wins.name] = failures;
    evaluation.metrics.push_back(std::move(wins));
    evaluation.metrics.push_back(plumb::to_metric(prefix + "length", plumb::estimate(lengths)));
    if (prompt_tokens + completion_tokens > 0) {
      evaluation.metrics.push_back({"alpaca-eval judge tokens read for " + model, static_cast<double>(prompt_tokens)});
      evaluation.metrics.push_back(
          {"alpaca-eval judge tokens written for " + model, static_cast<double>(completion_tokens)});
    }
  }

  // alpaca_eval counts 1 for the reference, 2 for the model, 1.5 for neither; null where the annotator failed.
  void add_rows(const plumb::EvaluationContext& context, const std::string& model,
                const std::vector<std::string>& outputs, const Reference& reference,
                const std::vector<Compared>& compared, plumb::Evaluation& evaluation) const {
    Value::List annotations, written;
    for (const Compared& row : compared) {
      const plumb::Prompt& prompt = context.prompts()[row.prompt];
      const Value* dataset = prompt.extra.is_map() ? prompt.extra.find("dataset") : nullptr;
      const Value group = dataset != nullptr && dataset->is_string() ? *dataset : Value("");
      const auto& judgement = row.judgement;
      annotations.push_back(
          Value::map({{"instruction", instruction_of(prompt)},
                      {"output_1", reference.outputs[row.prompt]},
                      {"generator_1", reference.name},
                      {"dataset", group},
                      {"output_2", outputs[row.prompt]},
                      {"generator_2", model},
                      {"annotator", settings_.judge_name},
                      {"preference", judgement.preference ? Value(1 + *judgement.preference) : Value()},
                      {"raw_completion", judgement.text},
                      {"model_shown_first", row.model_first}}));
      if (!judgement.failure.empty()) annotations.back().set("failure", judgement.failure);
      written.push_back(Value::map({{"dataset", group},
                                    {"instruction", instruction_of(prompt)},
                                    {"output", outputs[row.prompt]},
                                    {"generator", model}}));
      plumb::EvaluatedAnswer answer{prompt.id, model, prompt.messages, outputs[row.prompt], {}, {}};
      if (judgement.preference) answer.scores["alpaca-eval"] = *judgement.preference;
      answer.extra = Value::map({{"judgment", judgement.text}});
      if (!judgement.failure.empty()) answer.extra.set("failure", judgement.failure);
      evaluation.answers.push_back(std::move(answer));
    }
    const std::string folder = "alpaca-eval/" + model + "/";
    evaluation.files[folder + "model_outputs.json"] = plumb::to_json(written, false, 1) + "\n";
    evaluation.files[folder + settings_.judge_name + "/annotations.json"] =
        plumb::to_json(annotations, false, 1) + "\n";
  }

  Settings settings_;
  plumb::Host& host_;
  ComparisonPrompt prompt_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.plumbline.alpaca-eval", "1.0.0", "Apache-2.0",
             "AlpacaEval: win rate against reference outputs by a judge" PLUMB_STATUS("stable")) {
  registrar.add<AlpacaEval>("alpaca-eval").needs({"judge:preference|text", "one-answer"});
}
