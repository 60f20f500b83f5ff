#include "plumb/random.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <set>
#include <vector>

#include "philox.h"

BOOST_AUTO_TEST_SUITE(random_numbers)

// The published vectors of philox4x32-10: Random123, tests/kat_vectors.
BOOST_AUTO_TEST_CASE(known_answers) {
  using Words = std::array<std::uint32_t, 4>;
  constexpr std::uint32_t ones = 0xffffffff;
  BOOST_TEST(
      (plumb::detail::philox4x32({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  BOOST_TEST((plumb::detail::philox4x32({ones, ones, ones, ones}, {ones, ones}) ==
              Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  BOOST_TEST((plumb::detail::philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
              Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// A seed is the key and a draw's number the counter: draw 0 of seed 0 is the first vector.
BOOST_AUTO_TEST_CASE(draws_are_philox_blocks) {
  BOOST_TEST(plumb::Random(0).bits_at(0) == 0xe169c58d6627e8d5);
  const double expected = std::floor(0xe169c58d6627e8d5p0 / 2048) / 0x1p53;
  BOOST_TEST(plumb::Random(0).uniform_at(0) == expected);
}

BOOST_AUTO_TEST_CASE(stepping_equals_addressing) {
  plumb::Random stepped(7);
  const plumb::Random fixed(7);
  for (std::uint64_t i = 0; i < 5; ++i) BOOST_TEST(stepped.bits() == fixed.bits_at(i));
  BOOST_TEST(stepped.counter() == 5u);
  stepped.seek(2);
  BOOST_TEST(stepped.bits() == fixed.bits_at(2));
}

BOOST_AUTO_TEST_CASE(derived_streams_differ) {
  const plumb::Random root(1);
  const std::string zero("a\0", 2);
  std::set<std::uint64_t> keys{root.key()};
  for (const std::string& name : {std::string(), std::string("a"), zero, std::string("b"), std::string("prompt-1"),
                                  std::string("prompt-10"), std::string("prompt-100"), std::string(40, 'x')}) {
    keys.insert(root.derive(name).key());
  }
  for (std::uint64_t number : {0u, 1u, 97u}) keys.insert(root.derive(number).key());
  BOOST_TEST(keys.size() == 12u);
  BOOST_TEST(root.derive("a").derive(3).key() == plumb::Random(1).derive("a").derive(3).key());
}

BOOST_AUTO_TEST_CASE(uniform_fills_the_unit_interval) {
  plumb::Random random(11);
  std::vector<int> bins(16);
  double low = 1, high = 0;
  for (int i = 0; i < 160000; ++i) {
    const double u = random.uniform();
    low = std::min(low, u);
    high = std::max(high, u);
    ++bins[static_cast<std::size_t>(u * 16)];
  }
  BOOST_TEST(low >= 0);
  BOOST_TEST(high < 1);
  double chi = 0;
  for (const int count : bins) chi += (count - 10000.0) * (count - 10000.0) / 10000;
  BOOST_TEST(chi < 37.7);  // 15 degrees of freedom, p = 0.001
}

BOOST_AUTO_TEST_CASE(normal_has_the_moments_of_a_normal) {
  plumb::Random random(5);
  constexpr int n = 200000;
  double one = 0, two = 0, four = 0;
  for (int i = 0; i < n; ++i) {
    const double x = random.normal();
    one += x;
    two += x * x;
    four += x * x * x * x;
  }
  BOOST_TEST(std::abs(one / n) < 4 / std::sqrt(n));
  BOOST_TEST(std::abs(two / n - 1) < 4 * std::sqrt(2.0 / n));
  BOOST_TEST(std::abs(four / n - 3) < 4 * std::sqrt(96.0 / n));
}

BOOST_AUTO_TEST_CASE(below_is_unbiased_and_bounded) {
  plumb::Random random(3);
  std::vector<int> bins(6);
  for (int i = 0; i < 60000; ++i) ++bins.at(random.below(6));
  double chi = 0;
  for (const int count : bins) chi += (count - 10000.0) * (count - 10000.0) / 10000;
  BOOST_TEST(chi < 20.5);  // 5 degrees of freedom, p = 0.001
  BOOST_TEST(random.below(1) == 0u);
  // Three quarters of 2^64: without the redraw the first of three thirds would come up half of the time.
  const std::uint64_t bound = std::uint64_t{3} << 62;
  int first = 0;
  for (int i = 0; i < 30000; ++i) first += random.below(bound) < bound / 3 ? 1 : 0;
  BOOST_TEST(std::abs(first - 10000) < 4 * std::sqrt(30000 * 2 / 9.0));
}

BOOST_AUTO_TEST_CASE(shuffle_gives_every_order_alike) {
  plumb::Random random(8);
  std::vector<int> orders(27);
  for (int i = 0; i < 6000; ++i) {
    std::vector<int> items{0, 1, 2};
    random.shuffle(items);
    ++orders[static_cast<std::size_t>(items[0] * 9 + items[1] * 3 + items[2])];
  }
  int seen = 0;
  double chi = 0;
  for (const int count : orders) {
    if (count == 0) continue;
    ++seen;
    chi += (count - 1000.0) * (count - 1000.0) / 1000;
  }
  BOOST_TEST(seen == 6);
  BOOST_TEST(chi < 20.5);
}

BOOST_AUTO_TEST_SUITE_END()
