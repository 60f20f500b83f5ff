#include <plumb/evaluator.h>
#include <plumb/testing.h>
#include <plumb/testing_evaluation.h>
#include <boost/test/unit_test.hpp>

using plumb::testing::FixedAnswers;
using plumb::testing::PluginUnderTest;

BOOST_AUTO_TEST_SUITE(reward_win_rate)

BOOST_AUTO_TEST_CASE(wins_ties_and_samples) {
  PluginUnderTest plugin;
  auto evaluator = plugin.make<plumb::Evaluator>("reward-win-rate");
  FixedAnswers context;
  context.options_.samples = 2;
  context.models_ = {"sft", "dpo"};
  context.baseline_ = "sft";
  context.prompts_ = {{"p1", {{"user", "1"}}, {}}, {"p2", {{"user", "2"}}, {}}};
  // The fixture's reward is the length: p1 wins and ties, p2 loses and wins.
  context.answers_ = {{"sft", {"a", "bb", "cc", "d"}}, {"dpo", {"aa", "bb", "c", "dd"}}};
  const auto evaluation = evaluator->evaluate(context);
  std::map<std::string, plumb::Metric> metrics;
  for (const auto& metric : evaluation.metrics) metrics[metric.name] = metric;
  // Per prompt 75 % and 50 %.
  BOOST_TEST(metrics.at("reward/dpo/win_rate").value == 62.5);
  BOOST_TEST(metrics.at("reward/dpo/win_rate").standard_error.value() == 12.5);
  BOOST_TEST(metrics.at("reward/dpo/win_rate").count.value() == 2);
  BOOST_TEST(metrics.at("reward/sft/mean").value == 1.5);
  BOOST_TEST(metrics.at("reward/dpo/difference").value == 0.25);
}

BOOST_AUTO_TEST_SUITE_END()
