#include <plumb/testing.h>
#include <plumb/testing_checks.h>
#include <plumb/testing_evaluation.h>

int main() {
  plumb::testing::Checks check;
  plumb::testing::PluginUnderTest plugin;
  plumb::testing::FixedAnswers context;
  context.models_ = {"sft"};
  context.prompts_ = {{"p1", {{"user", "say \"hi\""}}, {}}, {"p2", {{"user", "a, b?"}}, {}}};
  context.options_.samples = 2;
  context.answers_["sft"] = {"hi", "", "a\nb", "c"};

  const auto evaluation = plugin.make<plumb::Evaluator>("csv")->evaluate(context);
  check.equal(evaluation.files.at("answers.csv"),
              "prompt,model,sample,question,answer\r\n"
              "\"p1\",\"sft\",0,\"say \"\"hi\"\"\",\"hi\"\r\n"
              "\"p1\",\"sft\",1,\"say \"\"hi\"\"\",\"\"\r\n"
              "\"p2\",\"sft\",0,\"a, b?\",\"a\nb\"\r\n"
              "\"p2\",\"sft\",1,\"a, b?\",\"c\"\r\n",
              "the table");
  check.near(evaluation.metrics.at(0).value, 1.5, 1e-12, "mean length");
  check.throws(
      plumb::ErrorCode::recipe,
      [&] {
        plugin.make<plumb::Evaluator>("csv", plumb::Value::map({{"file", "../escape"}}));
      },
      "a path as the name");
  return check.status();
}
