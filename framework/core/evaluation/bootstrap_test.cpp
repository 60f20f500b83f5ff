#include "framework/core/evaluation/bootstrap.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>

#include "plumb/error.h"

using plumb::bootstrap_mean;
using plumb::Interval;
using plumb::Random;

namespace {

std::vector<double> normals(std::size_t n, Random random, double mean = 0) {
  std::vector<double> out;
  for (std::size_t i = 0; i < n; ++i) out.push_back(mean + random.normal());
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(bootstrap)

// The standard deviation of a resample's mean is sqrt(Σ(x − x̄)² / n²) exactly.
BOOST_AUTO_TEST_CASE(the_standard_error_has_a_closed_form) {
  const std::vector<double> sample = normals(50, Random(1));
  double mean = 0, squares = 0;
  for (double v : sample) mean += v / 50;
  for (double v : sample) squares += (v - mean) * (v - mean);
  const Interval b = bootstrap_mean(sample, Random(2), 40000);
  BOOST_TEST(b.mean == mean, boost::test_tools::tolerance(1e-12));
  // The deviation of 40,000 draws is known to about 0.35 %; four times that.
  BOOST_TEST(b.standard_error == std::sqrt(squares) / 50, boost::test_tools::tolerance(0.015));
  BOOST_TEST(b.count == 50U);
}

// Of {0, 0, 1} a resample's mean is binomial: 0, 1/3, 2/3 or 1 with 8, 12, 6 and 1 of 27.
BOOST_AUTO_TEST_CASE(a_small_sample_can_be_counted_out) {
  const std::vector<double> sample{0, 0, 1};
  const Interval b = bootstrap_mean(sample, Random(3), 50000);
  BOOST_TEST(b.low == 0.0);
  BOOST_TEST(b.high == 1.0);  // 1/27 = 3.7 % lie there, more than 2.5 %
  BOOST_TEST(b.above == 19.0 / 27 + 8.0 / 54, boost::test_tools::tolerance(0.01));
  BOOST_TEST(b.p == 2 * 8.0 / 27, boost::test_tools::tolerance(0.03));
  BOOST_TEST(b.standard_error == std::sqrt(2.0 / 27), boost::test_tools::tolerance(0.015));
}

// For many values the interval is the normal one.
BOOST_AUTO_TEST_CASE(a_large_sample_has_the_normal_interval) {
  const std::vector<double> sample = normals(2000, Random(4), 0.5);
  const Interval b = bootstrap_mean(sample, Random(5));
  BOOST_TEST((b.high - b.low) / 2 == 1.96 * b.standard_error, boost::test_tools::tolerance(0.03));
  BOOST_TEST((b.high + b.low) / 2 == b.mean, boost::test_tools::tolerance(0.01));
  BOOST_TEST(b.p == 2.0 / 10001, boost::test_tools::tolerance(1e-9));  // none at or below 0
  BOOST_TEST(b.above == 1.0);
}

BOOST_AUTO_TEST_CASE(draws_depend_on_the_key_alone) {
  const std::vector<double> sample = normals(31, Random(6));
  const Interval once = bootstrap_mean(sample, Random(7), 500), again = bootstrap_mean(sample, Random(7), 500),
                 other = bootstrap_mean(sample, Random(8), 500);
  BOOST_TEST(once.low == again.low);
  BOOST_TEST(once.p == again.p);
  BOOST_TEST(once.low != other.low);
  const std::vector<double> same(10, 2.5);
  BOOST_TEST(bootstrap_mean(same, Random(1), 100).low == 2.5);
  BOOST_TEST(bootstrap_mean(std::vector<double>(10, 0.0), Random(1), 100).p == 1.0);
}

// Two equal models: 5 % of the intervals miss 0. Of 1,000 the count is binomial, 50 ± 7; three deviations and what the
// percentile interval of 60 values is too narrow (about 1 %).
BOOST_AUTO_TEST_CASE(equal_models_are_told_apart_in_one_case_of_twenty) {
  int wrong = 0;
  for (std::uint64_t trial = 0; trial < 1000; ++trial) {
    const Interval b = bootstrap_mean(normals(60, Random(100).derive(trial)), Random(9).derive(trial), 400);
    wrong += b.low > 0 || b.high < 0 ? 1 : 0;
  }
  BOOST_TEST(wrong >= 30);
  BOOST_TEST(wrong <= 80);
}

BOOST_AUTO_TEST_CASE(nothing_and_not_a_number_are_refused) {
  BOOST_CHECK_THROW(bootstrap_mean(std::vector<double>{}, Random(1)), plumb::Error);
  BOOST_CHECK_THROW(bootstrap_mean(std::vector<double>{1, std::numeric_limits<double>::quiet_NaN()}, Random(1)),
                    plumb::Error);
}

// The example of R's p.adjust: p of 0.01, 0.04, 0.03 become 0.03, 0.06, 0.06.
BOOST_AUTO_TEST_CASE(holm_steps_down) {
  const std::vector<double> p{0.01, 0.04, 0.03}, wanted{0.03, 0.06, 0.06};
  const auto adjusted = plumb::holm(p);
  for (std::size_t i = 0; i < 3; ++i) BOOST_TEST(adjusted[i] == wanted[i], boost::test_tools::tolerance(1e-12));
  BOOST_TEST(plumb::holm(std::vector<double>{0.9, 0.8})[1] == 1.0);
  BOOST_TEST(plumb::holm(std::vector<double>{}).empty());
}

BOOST_AUTO_TEST_SUITE_END()
