#include <plumb/selection_policy.h>
#include <plumb/testing.h>
#include <boost/test/unit_test.hpp>
#include <cmath>

using plumb::PairChoice;
using plumb::Value;
using plumb::testing::PluginUnderTest;
using plumb::testing::scored_group;

BOOST_AUTO_TEST_SUITE(reward_gap)

// Algorithm 1 as the paper writes it: both loops over all k responses, σ and η.
static std::vector<PairChoice> algorithm_1(const plumb::ResponseGroup& group, double eta, double tau) {
  std::vector<PairChoice> pairs;
  for (int j = 0; j < static_cast<int>(group.responses.size()); ++j) {
    for (int l = 0; l < static_cast<int>(group.responses.size()); ++l) {
      if (j == l) continue;
      const double gap = (*group.responses[j].reward - *group.responses[l].reward) / tau;
      if (1 / (1 + std::exp(-gap)) > eta) pairs.push_back({j, l});
    }
  }
  return pairs;
}

BOOST_AUTO_TEST_CASE(keeps_the_pairs_of_algorithm_1) {
  PluginUnderTest plugin;
  plumb::Random random(7);
  for (int trial = 0; trial < 200; ++trial) {
    auto group = scored_group("p", {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
    for (auto& response : group.responses) response.reward = 2 * random.normal();
    const double eta = 0.5 + 0.49 * random.uniform(), tau = 0.5 + random.uniform();
    auto policy = plugin.make<plumb::SelectionPolicy>("reward-gap", Value::map({{"eta", eta}, {"tau", tau}}));
    BOOST_TEST((policy->select(group, random).pairs == algorithm_1(group, eta, tau)));
  }
}

BOOST_AUTO_TEST_CASE(equal_delta_gives_equal_pairs) {
  PluginUnderTest plugin;
  const double delta = std::log(0.8 / 0.2);
  auto by_eta = plugin.make<plumb::SelectionPolicy>("reward-gap", Value::map({{"eta", 0.8}}));
  auto by_delta = plugin.make<plumb::SelectionPolicy>("reward-gap", Value::map({{"delta", delta}}));
  const auto group = scored_group("p", {0.0, 1.4, 1.3, 2.8, -0.1, 1.386});
  BOOST_TEST(*by_eta->threshold() == 1.3862943611198906, boost::test_tools::tolerance(1e-12));
  BOOST_TEST((by_eta->select(group, plumb::Random(0)).pairs == by_delta->select(group, plumb::Random(0)).pairs));
}

BOOST_AUTO_TEST_CASE(a_gap_equal_to_the_threshold_is_dropped) {
  PluginUnderTest plugin;
  auto policy = plugin.make<plumb::SelectionPolicy>("reward-gap", Value::map({{"delta", 1.0}}));
  BOOST_TEST(policy->select(scored_group("p", {1.0, 0.0}), plumb::Random(0)).pairs.empty());
  BOOST_TEST(policy->select(scored_group("p", {1.0 + 1e-9, 0.0}), plumb::Random(0)).pairs.size() == 1U);
}

BOOST_AUTO_TEST_CASE(the_audit_tells_ties_from_gaps) {
  PluginUnderTest plugin;
  auto policy = plugin.make<plumb::SelectionPolicy>("reward-gap", Value::map({{"eta", 0.5}}));
  const auto selection = policy->select(scored_group("p", {1.0, 1.0, 2.0}), plumb::Random(0));
  BOOST_TEST(selection.audit.size() == 3U);
  BOOST_TEST(selection.audit[0].reason == "tie");
  BOOST_TEST(selection.pairs.size() == 2U);
}

BOOST_AUTO_TEST_SUITE_END()
