// my-plugin: words per answer of every model, with a 95 % interval over the prompts.
#include <plumb/evaluator.h>
#include <plumb/plugin.h>
#include <plumb/statistics.h>

#include <sstream>

namespace {

double words_of(const std::string& answer) {
  std::istringstream in(answer);
  double count = 0;
  for (std::string word; in >> word;) ++count;
  return count;
}

class MyPlugin final : public plumb::Evaluator {
 public:
  struct Settings {};
  static plumb::Params<Settings> params() { return plumb::Params<Settings>{"words per answer"}; }
  MyPlugin(const Settings&, plumb::Host&) {}

  [[nodiscard]] plumb::Evaluation evaluate(plumb::EvaluationContext& context) override {
    plumb::Evaluation evaluation;
    const auto& prompts = context.prompts();
    const auto samples = static_cast<std::size_t>(context.options().samples);
    for (const std::string& model : context.models()) {
      const auto answers = context.answer(model, prompts, context.options());  // prompts × samples
      std::vector<double> means(prompts.size(), 0.0);  // answers to one prompt are not independent
      for (std::size_t i = 0; i < answers.size(); ++i) {
        const double words = words_of(answers[i]);
        means[i / samples] += words / static_cast<double>(samples);
        const plumb::Prompt& prompt = prompts[i / samples];
        evaluation.answers.push_back({prompt.id, model, prompt.messages, answers[i], {{"words", words}}, {}});
      }
      evaluation.metrics.push_back(plumb::to_metric("words/" + model, plumb::estimate(means)));
    }
    return evaluation;
  }
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.example.my-plugin", "0.1.0", "Apache-2.0",
             "words per answer" PLUMB_STATUS("experimental")) {
  registrar.add<MyPlugin>("my-plugin");
}
