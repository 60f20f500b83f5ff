#include "framework/core/evaluation/two_way.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "plumb/error.h"
#include "plumb/random.h"

using plumb::Interval;
using plumb::over_seeds_and_prompts;
using plumb::Random;
using Gains = std::vector<std::map<std::string, double>>;

namespace {

const auto near = boost::test_tools::tolerance(1e-9);

// Effects of prompts, of seeds and of both, about a true mean of 0.
Gains drawn(std::size_t seeds, std::size_t prompts, double of_seeds, Random random) {
  std::vector<double> prompt_effects;
  for (std::size_t p = 0; p < prompts; ++p) prompt_effects.push_back(random.normal());
  Gains out(seeds);
  for (auto& seed : out) {
    const double effect = of_seeds * random.normal();
    for (std::size_t p = 0; p < prompts; ++p)
      seed[std::to_string(p)] = effect + prompt_effects[p] + 0.5 * random.normal();
  }
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(two_way)

// Two prompts, two seeds: means of seeds 1 and 3, of prompts 1.5 and 2.5. Squared errors 1 and 0.25; t = 2 / √1.25 with
// 1.25² / (1 + 0.0625) = 1.470588… degrees of freedom.
BOOST_AUTO_TEST_CASE(a_small_table_can_be_worked_out_by_hand) {
  const Interval i = over_seeds_and_prompts(Gains{{{"a", 0.5}, {"b", 1.5}}, {{"a", 2.5}, {"b", 3.5}}});
  BOOST_TEST(i.mean == 2.0, near);
  BOOST_TEST(i.standard_error == std::sqrt(1.25), near);
  BOOST_TEST(i.count == 2U);
  BOOST_TEST(i.seeds == 2U);
  // The density of Student's t with so many degrees of freedom, integrated numerically.
  BOOST_TEST(i.high - i.mean == 6.188115 * std::sqrt(1.25), boost::test_tools::tolerance(1e-5));
  BOOST_TEST(i.p == 0.25853213, boost::test_tools::tolerance(1e-5));
  BOOST_TEST(i.above == 1 - 0.25853213 / 2, boost::test_tools::tolerance(1e-5));
}

// Where every prompt gains the same, only the seeds count: Student's t of three values, 4.302652729911275 for 95 %.
BOOST_AUTO_TEST_CASE(without_differences_between_prompts_it_is_students_t_over_seeds) {
  const Interval i = over_seeds_and_prompts(Gains{{{"a", 1}, {"b", 1}}, {{"a", 2}, {"b", 2}}, {{"a", 6}, {"b", 6}}});
  BOOST_TEST(i.mean == 3.0, near);
  BOOST_TEST(i.standard_error == std::sqrt(7.0 / 3), near);  // variance of 1, 2, 6 is 7
  BOOST_TEST(i.high - i.mean == 4.302652729911275 * std::sqrt(7.0 / 3), near);
}

// Where no seed differs, only the prompts count.
BOOST_AUTO_TEST_CASE(without_differences_between_seeds_it_is_students_t_over_prompts) {
  const std::map<std::string, double> same{{"a", 1}, {"b", 2}, {"c", 6}};
  const Interval i = over_seeds_and_prompts(Gains{same, same, same, same});
  BOOST_TEST(i.high - i.mean == 4.302652729911275 * std::sqrt(7.0 / 3), near);
}

// Of 95 % intervals for a true 0 at least 95 % hold it, and with seeds that differ an interval over prompts alone holds
// it far less often.
BOOST_AUTO_TEST_CASE(it_covers_what_it_says) {
  int held = 0, held_by_prompts = 0;
  constexpr int trials = 400;
  for (int trial = 0; trial < trials; ++trial) {
    const Gains gains = drawn(3, 40, 0.5, Random(17).derive(static_cast<std::uint64_t>(trial)));
    const Interval both = over_seeds_and_prompts(gains);
    held += both.low <= 0 && both.high >= 0 ? 1 : 0;
    const Interval prompts = over_seeds_and_prompts(Gains{gains[0], gains[0]});
    held_by_prompts += prompts.low <= 0 && prompts.high >= 0 ? 1 : 0;
  }
  BOOST_TEST(held >= static_cast<int>(0.93 * trials));
  BOOST_TEST(held_by_prompts < static_cast<int>(0.7 * trials));
}

BOOST_AUTO_TEST_CASE(what_has_no_interval_is_refused_or_a_point) {
  BOOST_CHECK_THROW(over_seeds_and_prompts(Gains{{{"a", 1.0}}}), plumb::Error);
  BOOST_CHECK_THROW(over_seeds_and_prompts(Gains{{{"a", 1.0}}, {}}), plumb::Error);
  BOOST_CHECK_THROW(over_seeds_and_prompts(Gains{{{"a", 1.0}}, {{"a", std::numeric_limits<double>::quiet_NaN()}}}),
                    plumb::Error);
  const Interval zero = over_seeds_and_prompts(Gains{{{"a", 0.0}}, {{"a", 0.0}}});
  BOOST_TEST(zero.p == 1.0);
  BOOST_TEST(zero.above == 0.5);
}

BOOST_AUTO_TEST_SUITE_END()
