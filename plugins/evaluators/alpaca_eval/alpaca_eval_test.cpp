#include <plumb/benchmarks.h>
#include <plumb/evaluator.h>
#include <plumb/testing.h>
#include <plumb/testing_evaluation.h>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>

#include "comparison_prompt.h"

using plumb::JudgeRequest;
using plumb::Value;

namespace {

// Prefers what `better` says; where it says nothing, it fails.
class Comparing final : public plumb::Judge {
 public:
  explicit Comparing(std::function<std::string(const JudgeRequest&)> say) : say_(std::move(say)) {}
  [[nodiscard]] plumb::Judgement judge(const JudgeRequest& request) override {
    asked[request.id] = request;
    plumb::Judgement judgement;
    judgement.text = say_(request);
    return judgement;
  }
  std::map<std::string, JudgeRequest> asked;

 private:
  std::function<std::string(const JudgeRequest&)> say_;
};

// Answers are "model N" or "base N"; the model wins the first `wins` prompts, equals at the next `draws`.
struct Fixture {
  explicit Fixture(int prompts, int draws = 0) {
    context.models_ = {"m"};
    for (int i = 0; i < prompts; ++i) {
      const std::string n = std::to_string(i);
      context.prompts_.push_back(
          {"p" + n, {{"user", "do " + n}}, Value::map({{"reference", "base " + n}, {"dataset", "d"}})});
      context.answers_["m"].push_back(i < draws ? "base " + n : "model " + n);
    }
  }
  plumb::Evaluation evaluate(plumb::Judge& judge, Value params = Value::map()) {
    context.judge_ = &judge;
    auto evaluation = plugin.make<plumb::Evaluator>("alpaca-eval", params)->evaluate(context);
    for (const auto& metric : evaluation.metrics) metrics[metric.name] = metric;
    failures = evaluation.failures;
    return evaluation;
  }
  plumb::testing::PluginUnderTest plugin;
  plumb::testing::FixedAnswers context;
  std::map<std::string, plumb::Metric> metrics;
  std::map<std::string, std::int64_t> failures;
};

// The first N prompts go to the model, whichever place it has.
auto model_wins_below(int limit) {
  return [limit](const JudgeRequest& request) -> std::string {
    const bool model_first = request.answer.starts_with("model");
    const bool model_wins = std::stoi(request.answer.substr(request.answer.find(' '))) < limit;
    return model_wins == model_first ? "The first. [[1]]" : "The second. [[2]]";
  };
}

std::string written(const std::string& name, const std::string& text) {
  const std::string file = (std::filesystem::temp_directory_path() / name).string();
  std::ofstream(file) << text;
  return file;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(alpaca_eval)

BOOST_AUTO_TEST_CASE(wins_are_the_models_whichever_place_it_was_shown_in) {
  Fixture f(40, 4);  // 4 draws, then wins up to prompt 14: 10 wins, 26 losses
  Comparing judge(model_wins_below(14));
  f.evaluate(judge);
  const auto& wins = f.metrics.at("alpaca-eval/m/win_rate_over_reference");
  const auto tolerance = boost::test_tools::tolerance(1e-12);
  BOOST_TEST(wins.value == 100.0 * 12 / 40, tolerance);
  // Variance of 10 ones, 4 halves and 26 zeros about 0.3, over n − 1.
  const double squares = 10 * 0.49 + 4 * 0.04 + 26 * 0.09;
  BOOST_TEST(wins.standard_error.value() == 100 * std::sqrt(squares / 39 / 40), tolerance);
  BOOST_TEST(f.failures.at("alpaca-eval/m/win_rate_over_reference") == 0);
  BOOST_TEST(wins.count.value() == 40);
  BOOST_TEST(judge.asked.size() == 36U);  // equal answers are a draw without asking
  int first = 0;
  for (const auto& [id, request] : judge.asked) first += request.answer.starts_with("model") ? 1 : 0;
  BOOST_TEST(first > 8);
  BOOST_TEST(first < 28);
  BOOST_TEST(f.metrics.at("alpaca-eval/m/length").value > 6);
}

BOOST_AUTO_TEST_CASE(the_order_is_drawn_by_the_instruction_alone) {
  Fixture one(30), other(30);
  std::swap(other.context.prompts_[3], other.context.prompts_[20]);
  std::swap(other.context.answers_["m"][3], other.context.answers_["m"][20]);
  Comparing a(model_wins_below(5)), b(model_wins_below(5)), c(model_wins_below(5));
  one.evaluate(a);
  other.evaluate(b);
  for (const auto& [id, request] : a.asked) BOOST_TEST(request.answer == b.asked.at(id).answer, id);
  Fixture fixed(30);
  fixed.evaluate(c, Value::map({{"swap", false}}));
  for (const auto& [id, request] : c.asked) BOOST_TEST(request.answer.starts_with("base"), id);
}

BOOST_AUTO_TEST_CASE(failures_stand_beside_the_rate_and_too_many_end_it) {
  Fixture f(10);
  Comparing judge([](const JudgeRequest& request) {
    return request.id == "m/p7" ? "I cannot decide." : model_wins_below(5)(request);
  });
  BOOST_CHECK_THROW(f.evaluate(judge), plumb::Error);
  const auto evaluation = f.evaluate(judge, Value::map({{"tolerated_failures", 0.1}, {"judge_name", "gpt-4"}}));
  const auto& wins = f.metrics.at("alpaca-eval/m/win_rate_over_reference");
  BOOST_TEST(f.failures.at("alpaca-eval/m/win_rate_over_reference") == 1);
  BOOST_TEST(wins.value == 100.0 * 5 / 9, boost::test_tools::tolerance(1e-12));

  // alpaca_eval's own arithmetic over the file that was written.
  const std::string file =
      written("plumb_alpaca_annotations.json", evaluation.files.at("alpaca-eval/m/gpt-4/annotations.json"));
  const auto again = plumb::alpaca_eval_win_rate(plumb::read_alpaca_annotations(file));
  BOOST_TEST(again.rate.mean == wins.value);
  BOOST_TEST(again.rate.standard_error == wins.standard_error.value());
  BOOST_TEST(again.failed == 1U);
  BOOST_TEST(again.wins == 5U);
  const auto outputs = plumb::read_alpaca_outputs(
      written("plumb_alpaca_outputs.json", evaluation.files.at("alpaca-eval/m/model_outputs.json")));
  BOOST_TEST(outputs.at(2).output == "model 2");
  BOOST_TEST(outputs.at(2).generator == "m");
}

BOOST_AUTO_TEST_CASE(references_come_from_a_file_from_the_prompts_or_from_the_baseline) {
  Comparing judge(model_wins_below(1));
  Fixture from_file(2);
  const std::string file = written(
      "plumb_alpaca_reference.json",
      R"([{"instruction":"do 1","output":"other 1","generator":"g"},{"instruction":"do 0","output":"other 0","generator":"g"}])");
  from_file.evaluate(judge, Value::map({{"reference_outputs", file}}));
  BOOST_TEST(from_file.metrics.contains("alpaca-eval/m/win_rate_over_g"));
  BOOST_TEST((judge.asked.at("m/p0").answer == "other 0" || *judge.asked.at("m/p0").other == "other 0"));

  Fixture from_baseline(2);
  for (auto& prompt : from_baseline.context.prompts_) prompt.extra = {};
  BOOST_CHECK_THROW(from_baseline.evaluate(judge), plumb::Error);
  from_baseline.context.models_ = {"b", "m"};
  from_baseline.context.baseline_ = "b";
  from_baseline.context.answers_["b"] = {"base 0", "base 1"};
  from_baseline.evaluate(judge);
  BOOST_TEST(from_baseline.metrics.at("alpaca-eval/m/win_rate").value == 50.0);
  BOOST_TEST(!from_baseline.metrics.contains("alpaca-eval/b/win_rate"));

  Fixture missing(3);
  BOOST_CHECK_EXCEPTION(
      missing.evaluate(judge, Value::map({{"reference_outputs", file}})), plumb::Error,
      [](const plumb::Error& error) { return std::string(error.what()).find("p2") != std::string::npos; });
}

BOOST_AUTO_TEST_CASE(marks_are_read_where_the_prompt_asks_for_marks) {
  using alpaca_eval::read_mark;
  BOOST_TEST(read_mark("So: [[1]]").value() == 1.0);
  BOOST_TEST(read_mark("[[1]] would be wrong, it is [[2]]").value() == 0.0);
  BOOST_TEST(read_mark("[[0]]").value() == 0.5);
  BOOST_TEST(!read_mark("[[3]] [1] [[").has_value());
  BOOST_TEST(!read_mark("[{'model': 'model_1', 'rank': 1}]").has_value());
  BOOST_TEST(alpaca_eval::ComparisonPrompt("").verdict("[[2]]").value() == 0.0);
  const alpaca_eval::ComparisonPrompt own(
      written("plumb_alpaca_marks.txt", "{instruction} {output_1} {output_2}: say [[1]] or [[2]]"));
  BOOST_TEST(own.verdict("[{'model': 'model_2', 'rank': 1}] [[1]]").value() == 1.0);
}

// The values are those of ast.literal_eval and ranking_parser of alpaca_eval, in Python 3.11.
BOOST_AUTO_TEST_CASE(ranked_lists_are_read_as_alpaca_eval_reads_them) {
  const std::vector<std::pair<std::string, std::optional<double>>> cases{
      {"[\n {'model': 'model_2', 'rank': 1},\n {'model': 'model_1', 'rank': 2}\n]", 0.0},
      {"[{\"model\":\"model_1\",\"rank\":1},{\"model\":\"model_2\",\"rank\":2}]", 1.0},
      {"[{'rank': 2, 'model': 'model_1'}, {'rank': 1, 'model': 'model_2'}]", 0.0},
      {"[{'model': 'model_1', 'rank': 2}, {'model': 'model_2', 'rank': 1}]  # output 2 prints [[1]] as asked", 0.0},
      {"# [[1]]\n[{'model': 'model_1', 'rank': 2,}, {'model': 'model_2', 'rank': 1},]\n", 0.0},
      {"({'model': 'model' '_1', 'why': 'it said \\'rank\\': 2, {\\'model\\'', 'rank': 1},)", 1.0},
      {"[{'model': u'model_\\x31', 'rank': 2.0}, {'model': r'model_2', 'rank': None}]", 0.0},
      {"[{'model': '''model_1''', 'rank': 1}, {'model': 'model_1', 'rank': 2}]", 1.0},
      {"[{'model': 'model_1', 'rank': 1}, {'model': 'model_2', 'rank': 1}]", 1.0},
      {"[{'model': 'model_1', 'rank': 3}, {'model': 'model_2', 'rank': 1}]", {}},
      {"[{'model': 'model_1', 'rank': '1'}]", {}},
      {"[{'model': 'model_2', 'rank': 1}]", {}},
      {"[{'name': 'model_2'}, {'model': 'model_1', 'rank': 1}]", {}},
      {"{'model': 'model_1', 'rank': 1}", {}},
      {"The ranking: [{'model': 'model_1', 'rank': 1}]", {}},
      {"```python\n[{'model': 'model_1', 'rank': 1}]\n```", {}},
      {"[{'model': 'model_1', 'rank': 1}, {'model': 'model_2', 'rank': 2}", {}},
      {"[{'model': 'model_1' 'rank': 1}]", {}},
      {"[{'model': 'model_1', 'rank': 01}]", {}},
      {"[{'model': 'model_1', 'rank': -1}]", {}},
      {"[{'model': 'model_1', 'rank': 0x1}]", 1.0},
      {"[{'model': f'model_1', 'rank': 1}]", {}},
      {"[[1]]", {}},
      {"", {}},
      {std::string(500, '['), {}},
  };
  const alpaca_eval::ComparisonPrompt prompt(
      written("plumb_alpaca_ranks.txt", "Rank {output_1} and {output_2} for {instruction}."));
  for (const auto& [text, wanted] : cases) {
    const std::optional<double> got = prompt.verdict(text);
    BOOST_TEST((got == wanted), text << ": " << got.value_or(-1) << ", wanted " << wanted.value_or(-1));
  }
}

BOOST_AUTO_TEST_CASE(templates_of_alpaca_eval_become_messages) {
  const std::string file = written("plumb_alpaca_template.txt",
                                   "<|im_start|>system\nRank.\n<|im_end|>\n<|im_start|>user\n{\n \"a\": "
                                   "\"{instruction}\"} {output_1}|{output_2}\n<|im_end|>");
  const auto messages = alpaca_eval::ComparisonPrompt(file).render("{output_1}", "one", "two");
  BOOST_REQUIRE(messages.size() == 2U);
  BOOST_TEST(messages[0].role == "system");
  BOOST_TEST(messages[0].content == "Rank.");
  BOOST_TEST(messages[1].content == "{\n \"a\": \"{output_1}\"} one|two");
  BOOST_CHECK_THROW(alpaca_eval::ComparisonPrompt(written("plumb_alpaca_bad.txt", "{instruction}")), plumb::Error);
}

BOOST_AUTO_TEST_SUITE_END()
