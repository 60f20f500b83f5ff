#include <plumb/selection_policy.h>
#include <plumb/testing.h>
#include <boost/test/unit_test.hpp>

using plumb::PairChoice;
using plumb::testing::PluginUnderTest;
using plumb::testing::scored_group;

BOOST_AUTO_TEST_SUITE(original_annotation)

BOOST_AUTO_TEST_CASE(keeps_the_annotation_and_nothing_else) {
  PluginUnderTest plugin;
  auto policy = plugin.make<plumb::SelectionPolicy>("original-annotation");
  auto group = scored_group("p", {0, 5});
  BOOST_TEST(policy->select(group, plumb::Random(0)).pairs.empty());
  group.annotation = plumb::Preference{"p", group.prompt, "good", "bad", {}, {}, {}};
  const auto pairs = policy->select(group, plumb::Random(0)).pairs;
  BOOST_REQUIRE(pairs.size() == 1U);
  BOOST_TEST((pairs[0] == PairChoice{PairChoice::annotated, PairChoice::annotated}));
}

BOOST_AUTO_TEST_CASE(drops_an_annotation_that_prefers_nothing) {
  PluginUnderTest plugin;
  auto policy = plugin.make<plumb::SelectionPolicy>("original-annotation");
  auto group = scored_group("p", {0});
  group.annotation = plumb::Preference{"p", group.prompt, "same", "same", {}, {}, {}};
  const auto selection = policy->select(group, plumb::Random(0));
  BOOST_TEST(selection.pairs.empty());
  BOOST_TEST(selection.audit.at(0).reason == "identical");
}

BOOST_AUTO_TEST_SUITE_END()
