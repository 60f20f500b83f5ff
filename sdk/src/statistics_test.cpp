#include "plumb/statistics.h"

#include <boost/test/unit_test.hpp>
#include <vector>

#include "plumb/error.h"

BOOST_AUTO_TEST_SUITE(statistics)

// Mean 5, variance 32 / 7, so the standard error is √(4 / 7); the tables give t(7) = 2.364624251592785.
BOOST_AUTO_TEST_CASE(an_interval_is_students) {
  const std::vector<double> x{2, 4, 4, 4, 5, 5, 7, 9};
  const auto e = plumb::estimate(x);
  BOOST_TEST(e.mean == 5.0);
  BOOST_TEST(e.standard_error == 0.7559289460184544, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(e.low == 5 - 2.364624251592785 * e.standard_error, boost::test_tools::tolerance(1e-9));
  BOOST_TEST(e.high == 5 + 2.364624251592785 * e.standard_error, boost::test_tools::tolerance(1e-9));
}

// Tabulated quantiles of Student's t.
BOOST_AUTO_TEST_CASE(quantiles_match_the_tables) {
  BOOST_TEST(plumb::student_t_95(1) == 12.7062047362, boost::test_tools::tolerance(1e-9));
  BOOST_TEST(plumb::student_t_95(40) == 2.0210753903, boost::test_tools::tolerance(1e-6));
  BOOST_TEST(plumb::student_t_95(100) == 1.9839715185, boost::test_tools::tolerance(1e-7));
  BOOST_TEST(plumb::student_t_95(499) == 1.9647293909, boost::test_tools::tolerance(1e-8));
}

BOOST_AUTO_TEST_CASE(pairing_needs_equal_sizes_and_finite_values) {
  const std::vector<double> a{1, 2, 3}, b{1, 2}, c{0, 0, 0};
  BOOST_CHECK_THROW(plumb::paired_difference(a, b), plumb::Error);
  BOOST_CHECK_THROW(plumb::estimate(std::vector<double>{}), plumb::Error);
  BOOST_CHECK_THROW(plumb::estimate(std::vector<double>{1, 1.0 / 0.0}), plumb::Error);
  BOOST_TEST(plumb::paired_difference(a, c).mean == 2.0);
}

BOOST_AUTO_TEST_CASE(ties_are_half_a_win) {
  const std::vector<double> preferences{1, 0.5, 0, 1};
  BOOST_TEST(plumb::win_rate(preferences).mean == 62.5);
}

// Wilson's interval of 8 of 10 is 0.4901625 to 0.9433178 (E. B. Wilson, 1927; worked out from his formula with
// z = 1.959964); of 2 of 2 it ends at 1 and begins at 1 / (1 + z² / 2).
BOOST_AUTO_TEST_CASE(a_share_has_an_interval_inside_0_and_100) {
  const auto rate = plumb::win_rate(std::vector<double>{1, 1, 1, 1, 1, 1, 1, 1, 0, 0});
  BOOST_TEST(rate.low == 49.01625, boost::test_tools::tolerance(1e-6));
  BOOST_TEST(rate.high == 94.33178, boost::test_tools::tolerance(1e-6));
  BOOST_TEST(rate.standard_error == 100 * 0.13333333333, boost::test_tools::tolerance(1e-9));
  const auto all = plumb::win_rate(std::vector<double>{1, 1});
  BOOST_TEST(all.high == 100.0, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(all.low == 100 / (1 + 1.959963984540054 * 1.959963984540054 / 2), boost::test_tools::tolerance(1e-9));
  BOOST_CHECK_THROW(plumb::win_rate(std::vector<double>{1, 2}), plumb::Error);
}

BOOST_AUTO_TEST_SUITE_END()
