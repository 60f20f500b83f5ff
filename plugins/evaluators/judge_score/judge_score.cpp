// Mean judge score of every model on the held-out prompts, and the paired difference to the baseline by prompt.
#include <plumb/evaluator.h>
#include <plumb/statistics.h>

#include <plumb/plugin.h>

namespace {

class JudgeScore final : public plumb::Evaluator {
 public:
  struct Settings {};
  static plumb::Params<Settings> params() {
    return plumb::Params<Settings>{
        "mean score by the stage's judge, with the paired difference to the baseline by prompt"};
  }
  JudgeScore(const Settings&, plumb::Host& host) : host_(host) {}

  [[nodiscard]] plumb::Evaluation evaluate(plumb::EvaluationContext& context) override {
    if (context.judge() == nullptr) {
      throw plumb::Error(plumb::ErrorCode::recipe,
                         "evaluator judge-score needs a judge: give the evaluate stage `judge:`");
    }
    plumb::Evaluation evaluation;
    std::map<std::string, std::vector<double>> scores;
    for (const std::string& model : context.models()) scores[model] = rate(context, model, evaluation);
    for (const std::string& model : context.models()) {
      const std::string name = "judge/" + model;
      evaluation.metrics.push_back(plumb::to_metric(name + "/mean", plumb::estimate(scores[model])));
      evaluation.failures[name + "/mean"] = 0;  // one would have ended it
      if (!context.baseline().empty() && model != context.baseline()) {
        evaluation.metrics.push_back(plumb::to_metric(
            name + "/difference", plumb::paired_difference(scores[model], scores[context.baseline()])));
      }
    }
    return evaluation;
  }

 private:
  // One mean per prompt. A failed judgement ends the evaluation: a mean over the rest would flatter the model.
  std::vector<double> rate(plumb::EvaluationContext& context, const std::string& model, plumb::Evaluation& evaluation) {
    const auto& prompts = context.prompts();
    const auto answers = context.answer(model, prompts, context.options());
    const auto samples = static_cast<std::size_t>(context.options().samples);
    std::vector<plumb::JudgeRequest> requests;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const plumb::Prompt& prompt = prompts[i / samples];
      requests.push_back(
          {model + "/" + prompt.id + "/" + std::to_string(i % samples), prompt, answers[i], {}, {}, {}, 0});
    }
    const auto judgements = plumb::judge_all(*context.judge(), requests, host_, "judgements of " + model);
    std::vector<double> means(prompts.size());
    for (std::size_t i = 0; i < answers.size(); ++i) {
      if (!judgements[i].score) {
        throw plumb::Error(plumb::ErrorCode::data,
                           "the judge gave no score for model " + model + ": " + judgements[i].failure);
      }
      means[i / samples] += *judgements[i].score / static_cast<double>(samples);
      evaluation.answers.push_back({prompts[i / samples].id,
                                    model,
                                    prompts[i / samples].messages,
                                    answers[i],
                                    {{"judge", *judgements[i].score}},
                                    plumb::Value(judgements[i].text)});
    }
    return means;
  }

  plumb::Host& host_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.plumbline.judge-score", "1.0.0", "Apache-2.0",
             "mean score by a judge" PLUMB_STATUS("stable")) {
  registrar.add<JudgeScore>("judge-score").needs({"judge:score"});
}
