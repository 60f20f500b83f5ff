// Every answer of every model in one table, answers.csv, for a spreadsheet; and the mean length of the answers.
// Fields are quoted as RFC 4180 has it.
#include <plumb/evaluator.h>
#include <plumb/plugin.h>
#include <plumb/statistics.h>

namespace {

std::string quoted(const std::string& field) {
  std::string out = "\"";
  for (const char c : field) out += c == '"' ? "\"\"" : std::string(1, c);
  return out + "\"";
}

class CsvEvaluator final : public plumb::Evaluator {
 public:
  struct Settings {
    std::string file = "answers.csv";
  };
  static plumb::Params<Settings> params() {
    plumb::Params<Settings> p{"all answers as a table for a spreadsheet"};
    p.add(&Settings::file, "file", "name of the table in the evaluation's folder");
    p.check([](const Settings& s) {
      return s.file.empty() || s.file.find('/') != std::string::npos ? "file: wanted a plain name" : "";
    });
    return p;
  }
  CsvEvaluator(const Settings& settings, plumb::Host&) : file_(settings.file) {}

  [[nodiscard]] plumb::Evaluation evaluate(plumb::EvaluationContext& context) override {
    plumb::Evaluation evaluation;
    const auto& prompts = context.prompts();
    const auto samples = static_cast<std::size_t>(context.options().samples);
    std::string table = "prompt,model,sample,question,answer\r\n";
    for (const std::string& model : context.models()) {
      const auto answers = context.answer(model, prompts, context.options());
      std::vector<double> lengths(prompts.size(), 0.0);
      for (std::size_t i = 0; i < answers.size(); ++i) {
        const plumb::Prompt& prompt = prompts[i / samples];
        lengths[i / samples] += static_cast<double>(answers[i].size()) / static_cast<double>(samples);
        table += quoted(prompt.id) + "," + quoted(model) + "," + std::to_string(i % samples) + "," +
                 quoted(prompt.messages.back().content) + "," + quoted(answers[i]) + "\r\n";
      }
      evaluation.metrics.push_back(plumb::to_metric("bytes/" + model, plumb::estimate(lengths)));
    }
    evaluation.files[file_] = std::move(table);
    return evaluation;
  }

 private:
  std::string file_;
};

}  // namespace

PLUMB_PLUGIN(registrar, "org.example.csv-evaluator", "1.0.0", "Apache-2.0",
             "answers as a table" PLUMB_STATUS("experimental")) {
  registrar.add<CsvEvaluator>("csv");
}
