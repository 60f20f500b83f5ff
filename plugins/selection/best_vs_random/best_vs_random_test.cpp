#include <plumb/selection_policy.h>
#include <plumb/testing.h>
#include <array>
#include <boost/test/unit_test.hpp>

using plumb::testing::PluginUnderTest;
using plumb::testing::scored_group;

BOOST_AUTO_TEST_SUITE(best_vs_random)

BOOST_AUTO_TEST_CASE(rejects_each_other_response_equally_often) {
  PluginUnderTest plugin;
  auto policy = plugin.make<plumb::SelectionPolicy>("best-vs-random");
  const auto group = scored_group("p", {0, 5, 1, 2, 3});
  std::array<int, 5> drawn{};
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    const auto pairs = policy->select(group, plumb::Random(seed)).pairs;
    BOOST_REQUIRE(pairs.size() == 1U);
    BOOST_REQUIRE(pairs[0].chosen == 1);
    ++drawn[static_cast<std::size_t>(pairs[0].rejected)];
  }
  BOOST_TEST(drawn[1] == 0);
  // Binomial(4000, 1/4): standard deviation 27.4, so ±5 of them.
  for (std::size_t i : {0U, 2U, 3U, 4U}) BOOST_TEST(std::abs(drawn[i] - 1000) < 137);
}

BOOST_AUTO_TEST_CASE(the_same_stream_gives_the_same_pair) {
  PluginUnderTest plugin;
  auto policy = plugin.make<plumb::SelectionPolicy>("best-vs-random");
  const auto group = scored_group("p", {0, 5, 1, 2, 3});
  BOOST_TEST((policy->select(group, plumb::Random(3)).pairs == policy->select(group, plumb::Random(3)).pairs));
}

BOOST_AUTO_TEST_SUITE_END()
