#include <plumb/selection_policy.h>
#include <plumb/testing.h>
#include <boost/test/unit_test.hpp>

using plumb::PairChoice;
using plumb::testing::PluginUnderTest;
using plumb::testing::scored_group;

BOOST_AUTO_TEST_SUITE(best_vs_worst)

BOOST_AUTO_TEST_CASE(takes_the_extremes) {
  PluginUnderTest plugin;
  auto policy = plugin.make<plumb::SelectionPolicy>("best-vs-worst");
  const auto pairs = policy->select(scored_group("p", {0.5, -2, 3, 1}), plumb::Random(0)).pairs;
  BOOST_REQUIRE(pairs.size() == 1U);
  BOOST_TEST((pairs[0] == PairChoice{2, 1}));
}

BOOST_AUTO_TEST_CASE(skips_a_prompt_without_a_preference) {
  PluginUnderTest plugin;
  auto policy = plugin.make<plumb::SelectionPolicy>("best-vs-worst");
  BOOST_TEST(policy->select(scored_group("p", {1, 1, 1}), plumb::Random(0)).pairs.empty());
  BOOST_TEST(policy->select(scored_group("p", {1}), plumb::Random(0)).pairs.empty());
  BOOST_TEST(policy->select(scored_group("p", {}), plumb::Random(0)).pairs.empty());
}

BOOST_AUTO_TEST_SUITE_END()
