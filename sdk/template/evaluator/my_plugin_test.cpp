#include <plumb/testing.h>
#include <plumb/testing_checks.h>
#include <plumb/testing_evaluation.h>

int main() {
  plumb::testing::Checks check;
  plumb::testing::PluginUnderTest plugin;
  const auto evaluator = plugin.make<plumb::Evaluator>("my-plugin");

  plumb::testing::FixedAnswers context;
  context.models_ = {"short", "long"};
  context.prompts_ = {{"p1", {{"user", "?"}}, {}}, {"p2", {{"user", "?"}}, {}}};
  context.options_.samples = 2;
  context.answers_["short"] = {"yes", "", "no", "no"};
  context.answers_["long"] = {"one two", "one two three four", "  one ", "one two three"};

  const plumb::Evaluation evaluation = evaluator->evaluate(context);
  check.equal(evaluation.metrics.size(), 2U, "metrics");
  check.equal(evaluation.metrics.at(0).name, "words/short", "name");
  check.near(evaluation.metrics.at(0).value, (0.5 + 1.0) / 2, 1e-12, "words of the short answers");
  check.near(evaluation.metrics.at(1).value, (3.0 + 2.0) / 2, 1e-12, "words of the long answers");
  check.equal(evaluation.answers.size(), 8U, "recorded answers");
  return check.status();
}
