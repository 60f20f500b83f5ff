#include "framework/core/evaluation/reward_gaps.h"

#include <boost/test/unit_test.hpp>

namespace {
plumb::ResponseGroup group(std::initializer_list<double> rewards) {
  plumb::ResponseGroup made;
  for (double reward : rewards) {
    plumb::Response response;
    response.reward = reward;
    made.responses.push_back(response);
  }
  return made;
}
}  // namespace

BOOST_AUTO_TEST_SUITE(reward_gaps)

BOOST_AUTO_TEST_CASE(counts_follow_the_threshold_strictly) {
  const std::vector<plumb::ResponseGroup> groups{group({0, 1, 3}), group({2, 2}), group({5})};
  const auto gaps = plumb::measure_reward_gaps(groups);
  BOOST_TEST((gaps.gaps == std::vector<double>{0, 1, 2, 3}));
  BOOST_TEST((gaps.largest == std::vector<double>{0, 3}));
  BOOST_TEST(gaps.mean == 1.5);
  BOOST_TEST(gaps.deviation == 1.2909944487358056, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(gaps.pairs_above(1) == 2U);
  BOOST_TEST(gaps.pairs_above(0.999) == 3U);
  BOOST_TEST(gaps.prompts_above(0) == 1U);
}

BOOST_AUTO_TEST_CASE(the_curve_starts_with_all_distinct_pairs_and_ends_with_none) {
  const auto value = plumb::to_value(plumb::measure_reward_gaps(std::vector{group({0, 1, 3}), group({2, 2})}), 1.0);
  const auto& curve = value.at("curve").as_list();
  BOOST_TEST(curve.front().at("pairs").as_int() == 3);
  BOOST_TEST(curve.front().at("eta").as_double() == 0.5);
  BOOST_TEST(curve.back().at("pairs").as_int() == 0);
  BOOST_TEST(value.at("threshold").as_double() == 1.0);
  const auto& thresholds = value.at("thresholds").as_list();
  BOOST_TEST(thresholds.front().at("delta").as_double() == 0.2006706954621511, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(thresholds.front().at("pairs").as_int() == 3);
  BOOST_TEST(thresholds.back().at("eta").as_double() == 0.99);
  BOOST_TEST(thresholds.back().at("pairs").as_int() == 0);  // δ = 4.6
  std::int64_t total = 0;
  for (const auto& count : value.at("histogram").at("counts").as_list()) total += count.as_int();
  BOOST_TEST(total == 4);
}

// Gaps 0, 1, 2, 3 (of {0, 1, 3} and {2, 2}) at τ = 2: σ of 0, ½, 1, 1½.
BOOST_AUTO_TEST_CASE(the_papers_gap_is_the_sigmoid_of_the_raw_one) {
  const auto value =
      plumb::to_value(plumb::measure_reward_gaps(std::vector{group({0, 1, 3}), group({2, 2})}), 2.0, 2.0);
  const auto& sigmoid = value.at("sigmoid");
  const double expected = (0.5 + 0.6224593312018546 + 0.7310585786300049 + 0.8175744761936437) / 4;
  BOOST_TEST(sigmoid.at("mean").as_double() == expected, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(sigmoid.at("tau").as_double() == 2.0);
  BOOST_TEST(sigmoid.at("deviation").as_double() == 0.1374126, boost::test_tools::tolerance(1e-5));
  const auto& edges = sigmoid.at("histogram").at("edges").as_list();
  BOOST_TEST(edges.front().as_double() == 0.5);
  BOOST_TEST(edges.back().as_double() == 1.0);
  const auto& counts = sigmoid.at("histogram").at("counts").as_list();
  BOOST_TEST(counts[0].as_int() == 1);   // 0.5
  BOOST_TEST(counts[14].as_int() == 1);  // 0.622: (0.622 - 0.5) / 0.5 · 60 = 14.7
}

// Around their means: rewards -1, 1 with lengths -2, 2, and rewards -3, 3 with lengths 1, -1: (4 - 6) / sqrt(20 · 10).
BOOST_AUTO_TEST_CASE(length_bias_is_measured_within_prompts) {
  plumb::ResponseGroup first = group({0, 2}), second = group({10, 16});
  first.responses[0].text = "aaaa", first.responses[1].text = "aaaaaaaa";
  second.responses[0].text = "aaa", second.responses[1].text = "a";
  BOOST_TEST(plumb::reward_length_correlation(std::vector{first, second}).value() == -0.1414213562373095,
             boost::test_tools::tolerance(1e-12));
  BOOST_TEST(plumb::reward_length_correlation(std::vector{first}).value() == 1.0, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(!plumb::reward_length_correlation(std::vector{group({1, 2})}));
  BOOST_TEST(!plumb::reward_length_correlation({}));
}

BOOST_AUTO_TEST_CASE(nothing_sampled_is_no_error) {
  const auto gaps = plumb::measure_reward_gaps({});
  BOOST_TEST(gaps.pairs_above(0) == 0U);
  BOOST_TEST(plumb::to_value(gaps, {}).at("pairs").as_int() == 0);
}

// bfloat16 has steps of 1/128 between 1 and 2, of 1/64 between 2 and 4: 1.001 and 1.003 are 1, 2.007 is 2 and 2.009 is
// 2.015625.
BOOST_AUTO_TEST_CASE(rounding_ties_answers_that_differ) {
  std::vector<plumb::ResponseGroup> groups(2);
  for (const double reward : {1.001, 1.003, 1.005, 1.001})
    groups[0].responses.push_back({.text = "x", .reward = reward});
  for (const double reward : {2.007, 2.009}) groups[1].responses.push_back({.text = "x", .reward = reward});
  const plumb::RoundedRewards rounded = plumb::round_rewards(groups);
  BOOST_TEST(rounded.distinct == 5);
  BOOST_TEST(rounded.distinct_rounded == 4);  // 1, 1.0078125, 2, 2.015625
  BOOST_TEST(rounded.pairs == 6);             // five of the first prompt, one of the second
  BOOST_TEST(rounded.tied == 2.0 / 6);        // 1.003 with either 1.001
}

BOOST_AUTO_TEST_SUITE_END()
