#include <plumb/evaluator.h>
#include <plumb/testing.h>
#include <plumb/testing_evaluation.h>
#include <boost/test/unit_test.hpp>

using plumb::testing::FixedAnswers;
using plumb::testing::FunctionJudge;
using plumb::testing::PluginUnderTest;

namespace {
FixedAnswers two_models() {
  FixedAnswers context;
  context.models_ = {"sft", "dpo"};
  context.baseline_ = "sft";
  context.prompts_ = {{"p1", {{"user", "1"}}, {}}, {"p2", {{"user", "2"}}, {}}, {"p3", {{"user", "3"}}, {}}};
  context.answers_ = {{"sft", {"a", "bb", "ccc"}}, {"dpo", {"aa", "bbbb", "ccccc"}}};
  return context;
}
}  // namespace

BOOST_AUTO_TEST_SUITE(judge_score)

BOOST_AUTO_TEST_CASE(means_and_paired_differences) {
  PluginUnderTest plugin;
  auto evaluator = plugin.make<plumb::Evaluator>("judge-score");
  FixedAnswers context = two_models();
  FunctionJudge judge([](const plumb::JudgeRequest& r) { return static_cast<double>(r.answer.size()); });
  context.judge_ = &judge;
  const auto evaluation = evaluator->evaluate(context);
  std::map<std::string, plumb::Metric> metrics;
  for (const auto& metric : evaluation.metrics) metrics[metric.name] = metric;
  BOOST_TEST(metrics.at("judge/sft/mean").value == 2.0);
  BOOST_TEST(metrics.at("judge/dpo/difference").value == 5.0 / 3, boost::test_tools::tolerance(1e-12));
  // Differences 1, 2, 2: standard error 1/3, t(2) = 4.3027.
  BOOST_TEST(metrics.at("judge/dpo/difference").low.value() == 5.0 / 3 - 4.3026527297 / 3,
             boost::test_tools::tolerance(1e-9));
  BOOST_TEST(metrics.count("judge/sft/difference") == 0U);
  BOOST_TEST(evaluation.answers.size() == 6U);
}

BOOST_AUTO_TEST_CASE(a_failed_judgement_is_never_dropped_from_a_mean) {
  PluginUnderTest plugin;
  auto evaluator = plugin.make<plumb::Evaluator>("judge-score");
  FixedAnswers context = two_models();
  FunctionJudge judge([](const plumb::JudgeRequest& r) { return r.answer == "bb" ? -1.0 : 1.0; });
  context.judge_ = &judge;
  BOOST_CHECK_THROW(evaluator->evaluate(context), plumb::Error);
  context.judge_ = nullptr;
  BOOST_CHECK_THROW(evaluator->evaluate(context), plumb::Error);
}

BOOST_AUTO_TEST_SUITE_END()
