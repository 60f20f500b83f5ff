// Win rate against the baseline by the reward model: how often a model's answer is rewarded above the baseline's.
#include <plumb/evaluator.h>
#include <plumb/statistics.h>

#include <plumb/plugin.h>

namespace {

class RewardWinRate final : public plumb::Evaluator {
 public:
  struct Settings {};
  static plumb::Params<Settings> params() {
    return plumb::Params<Settings>{
        "win rate in percent against the baseline by the stage's reward model, with mean rewards"};
  }
  RewardWinRate(const Settings&, plumb::Host&) {}

  [[nodiscard]] plumb::Evaluation evaluate(plumb::EvaluationContext& context) override {
    plumb::Evaluation evaluation;
    const auto& prompts = context.prompts();
    const auto samples = static_cast<std::size_t>(context.options().samples);  // answer i meets the baseline's answer i
    std::vector<plumb::Prompt> asked;
    for (const auto& prompt : prompts) asked.insert(asked.end(), samples, prompt);
    std::map<std::string, std::vector<double>> rewards;
    for (const std::string& model : context.models()) {
      const auto answers = context.answer(model, prompts, context.options());
      rewards[model] = context.reward(asked, answers);
      for (std::size_t i = 0; i < answers.size(); ++i) {
        evaluation.answers.push_back(
            {asked[i].id, model, asked[i].messages, answers[i], {{"reward", rewards[model][i]}}, {}});
      }
      evaluation.metrics.push_back(
          plumb::to_metric("reward/" + model + "/mean", plumb::estimate(by_prompt(rewards[model], samples))));
    }
    for (const std::string& model : context.models()) {
      if (context.baseline().empty() || model == context.baseline()) continue;
      std::vector<double> preferences;
      for (std::size_t i = 0; i < asked.size(); ++i) {
        const double own = rewards[model][i], other = rewards[context.baseline()][i];
        preferences.push_back(own > other ? 1.0 : own < other ? 0.0 : 0.5);
      }
      evaluation.metrics.push_back(
          plumb::to_metric("reward/" + model + "/win_rate", plumb::win_rate(by_prompt(preferences, samples))));
      evaluation.metrics.push_back(
          plumb::to_metric("reward/" + model + "/difference",
                           plumb::paired_difference(by_prompt(rewards[model], samples),
                                                    by_prompt(rewards[context.baseline()], samples))));
    }
    return evaluation;
  }

 private:
  // Answers to one prompt are not independent: their mean is one observation.
  static std::vector<double> by_prompt(const std::vector<double>& values, std::size_t samples) {
    std::vector<double> means(values.size() / samples);
    for (std::size_t i = 0; i < values.size(); ++i) means[i / samples] += values[i] / static_cast<double>(samples);
    return means;
  }
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.plumbline.reward-win-rate", "1.0.0", "Apache-2.0",
             "win rate by a reward model" PLUMB_STATUS("stable")) {
  registrar.add<RewardWinRate>("reward-win-rate").needs({"reward-model"});
}
