#include <plumb/selection_policy.h>
#include <plumb/testing.h>
#include <boost/test/unit_test.hpp>

using plumb::testing::PluginUnderTest;
using plumb::testing::scored_group;

BOOST_AUTO_TEST_SUITE(rejection_sampling)

BOOST_AUTO_TEST_CASE(demonstrates_the_best_response) {
  PluginUnderTest plugin;
  auto policy = plugin.make<plumb::SelectionPolicy>("rejection-sampling");
  const auto selection = policy->select(scored_group("p", {-3, -1, -2}), plumb::Random(0));
  BOOST_TEST(selection.pairs.empty());
  BOOST_REQUIRE(selection.demonstrations.size() == 1U);
  BOOST_TEST(selection.demonstrations[0] == 1);
  BOOST_TEST(policy->select(scored_group("p", {}), plumb::Random(0)).demonstrations.empty());
}

BOOST_AUTO_TEST_SUITE_END()
