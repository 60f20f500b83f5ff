#include "framework/engine/rollout/sampler.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <numeric>

#include "plumb/error.h"

namespace plumb {
namespace {

using Kept = std::vector<std::pair<TokenId, float>>;

// HF's warpers as their definitions say, with full sorts in double precision.
Kept plain_filter(const std::vector<float>& logits, const Sampling& sampling) {
  std::vector<double> s;
  for (float x : logits) s.push_back(static_cast<double>(x / static_cast<float>(sampling.temperature)));
  if (sampling.top_k > 0 && sampling.top_k < static_cast<std::int64_t>(s.size())) {
    auto sorted = s;
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    const double kth = sorted[static_cast<std::size_t>(sampling.top_k - 1)];
    for (double& x : s) x = x < kth ? -INFINITY : x;
  }
  const auto softmax = [](const std::vector<double>& x) {
    const double most = *std::max_element(x.begin(), x.end());
    std::vector<double> p;
    for (double v : x) p.push_back(std::exp(v - most));
    const double total = std::accumulate(p.begin(), p.end(), 0.0);
    for (double& v : p) v /= total;
    return p;
  };
  if (sampling.top_p < 1) {
    const auto p = softmax(s);
    std::vector<std::size_t> order(s.size());
    std::iota(order.begin(), order.end(), 0U);
    std::sort(order.begin(), order.end(), [&](auto a, auto b) { return s[a] != s[b] ? s[a] < s[b] : a > b; });
    double mass = 0;
    for (std::size_t i = 0; i + 1 < order.size(); ++i) {
      mass += p[order[i]];
      if (mass <= 1 - sampling.top_p) s[order[i]] = -INFINITY;
    }
  }
  Kept kept;
  const auto p = softmax(s);
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (p[i] > 0) kept.emplace_back(static_cast<TokenId>(i), static_cast<float>(p[i]));
  }
  return kept;
}

std::vector<float> log_of(const std::vector<double>& probabilities) {
  std::vector<float> out;
  for (double p : probabilities) out.push_back(static_cast<float>(std::log(p)));
  return out;
}

std::vector<float> random_logits(std::size_t size, double spread, bool rounded, Random random) {
  std::vector<float> out;
  for (std::size_t i = 0; i < size; ++i) {
    const double x = spread * random.normal();
    out.push_back(static_cast<float>(rounded ? std::round(x) : x));
  }
  return out;
}

std::vector<TokenId> ids(const Kept& kept) {
  std::vector<TokenId> out;
  for (const auto& [id, p] : kept) out.push_back(id);
  return out;
}

BOOST_AUTO_TEST_SUITE(sampler)

BOOST_AUTO_TEST_CASE(filters_equal_the_sorted_definition) {
  const Random random(7);
  std::size_t filtered = 0;
  for (std::uint64_t round = 0; round < 600; ++round) {
    Random r = random.derive(round);
    const std::size_t size = 1 + r.below(round % 10 == 0 ? 6000 : 400);
    const auto logits = random_logits(size, 0.1 + 4 * r.uniform(), round % 3 == 0, r.derive("logits"));
    Sampling sampling;
    sampling.temperature = 0.3 + 1.5 * r.uniform();
    sampling.top_k = r.below(3) == 0 ? 0 : static_cast<std::int64_t>(1 + r.below(size + 10));
    sampling.top_p = r.below(3) == 0 ? 1.0 : 0.01 + 0.98 * r.uniform();
    const Kept got = filter_logits(logits, sampling);
    const Kept wanted = plain_filter(logits, sampling);
    BOOST_TEST_CONTEXT("round " << round << " size " << size << " k " << sampling.top_k << " p " << sampling.top_p) {
      BOOST_REQUIRE(ids(got) == ids(wanted));
      for (std::size_t i = 0; i < got.size(); ++i) BOOST_REQUIRE_SMALL(got[i].second - wanted[i].second, 2e-6F);
    }
    filtered += got.size() < size ? 1 : 0;
  }
  BOOST_TEST(filtered > 300U);
}

BOOST_AUTO_TEST_CASE(top_k_comes_before_top_p) {
  // After top-k 2 the first token holds 4/7 > 0.5 of the mass, so top-p 0.5 keeps it alone. The other way round, top-p
  // 0.5 of the whole keeps two.
  const auto logits = log_of({0.4, 0.3, 0.2, 0.1});
  Sampling sampling;
  sampling.top_k = 2;
  sampling.top_p = 0.5;
  BOOST_TEST(ids(filter_logits(logits, sampling)) == std::vector<TokenId>{0}, boost::test_tools::per_element());
  sampling.top_k = 0;
  BOOST_TEST(filter_logits(logits, sampling).size() == 2U);
}

BOOST_AUTO_TEST_CASE(temperature_comes_before_top_p) {
  // Probabilities ∝ p^(1/T): at T = 0.5 they are 16:9:4:1 of 30, so 0.8 needs two tokens; at T = 1 it needs three.
  const auto logits = log_of({0.4, 0.3, 0.2, 0.1});
  Sampling sampling;
  sampling.top_p = 0.8;
  BOOST_TEST(filter_logits(logits, sampling).size() == 3U);
  sampling.temperature = 0.5;
  const Kept kept = filter_logits(logits, sampling);
  BOOST_REQUIRE(kept.size() == 2U);
  BOOST_TEST(kept[0].second == 16.0F / 25, boost::test_tools::tolerance(1e-5F));
}

BOOST_AUTO_TEST_CASE(ties_at_the_kth_place_are_all_kept) {
  Sampling sampling;
  sampling.top_k = 2;
  const Kept kept = filter_logits(std::vector<float>{1, 3, 2, 0, 2, 2}, sampling);
  BOOST_TEST(ids(kept) == (std::vector<TokenId>{1, 2, 4, 5}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(top_p_drops_a_tail_of_exactly_one_minus_p) {
  // The two last tokens hold exactly 0.25 together: "at most 1 - p" goes, so both go.
  Sampling sampling;
  sampling.top_p = 0.75;
  const auto kept = filter_logits(log_of({0.5, 0.25, 0.125, 0.125}), sampling);
  BOOST_TEST(ids(kept) == (std::vector<TokenId>{0, 1}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(at_least_one_token_survives) {
  Sampling sampling;
  sampling.top_k = 1;
  sampling.top_p = 1e-9;
  sampling.temperature = 1e-3;
  for (std::uint64_t round = 0; round < 50; ++round) {
    const auto logits = random_logits(200, 3, false, Random(round));
    const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
    BOOST_TEST(ids(filter_logits(logits, sampling)) == std::vector<TokenId>{static_cast<TokenId>(best)},
               boost::test_tools::per_element());
  }
  sampling.top_k = 0;
  sampling.temperature = 1;
  BOOST_TEST(filter_logits(std::vector<float>(1000, 0.5F), sampling).size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_draw_inverts_the_cumulative_distribution_in_id_order) {
  const auto logits = log_of({0.5, 0.125, 0.25, 0.125});
  const Sampling sampling;
  const auto draw = [&](double u) { return draw_token(logits, sampling, u); };
  BOOST_TEST(draw(0) == 0);
  BOOST_TEST(draw(0.4999) == 0);
  BOOST_TEST(draw(0.5001) == 1);
  BOOST_TEST(draw(0.6249) == 1);
  BOOST_TEST(draw(0.6251) == 2);
  BOOST_TEST(draw(0.8749) == 2);
  BOOST_TEST(draw(0.8751) == 3);
  BOOST_TEST(draw(std::nextafter(1.0, 0.0)) == 3);
}

BOOST_AUTO_TEST_CASE(draws_are_distributed_as_the_survivors) {
  for (const std::int64_t k : {0, 20}) {
    const auto logits = random_logits(1500, 2, false, Random(11));
    Sampling sampling;
    sampling.top_k = k;
    sampling.temperature = 0.8;
    const Kept kept = plain_filter(logits, sampling);
    std::vector<double> counts(logits.size(), 0);
    Random random(12);
    const int draws = 40000;
    for (int i = 0; i < draws; ++i) ++counts[static_cast<std::size_t>(draw_token(logits, sampling, random.uniform()))];
    double chi = 0, rest_expected = draws, rest_seen = draws;
    int cells = 0;
    for (const auto& [id, p] : kept) {  // tokens too rare for the test go into one cell
      const double expected = p * draws;
      if (expected < 10) continue;
      chi += std::pow(counts[static_cast<std::size_t>(id)] - expected, 2) / expected;
      rest_expected -= expected;
      rest_seen -= counts[static_cast<std::size_t>(id)];
      ++cells;
    }
    if (rest_expected > 10) chi += std::pow(rest_seen - rest_expected, 2) / rest_expected;
    BOOST_TEST(chi < cells + 5 * std::sqrt(2.0 * cells));
    if (k > 0) BOOST_TEST(rest_seen == 0);
  }
}

BOOST_AUTO_TEST_CASE(greedy_takes_the_greatest_and_of_ties_the_lowest) {
  Sampling sampling;
  sampling.temperature = 0;
  std::vector<float> logits(100, -1.0F);
  logits[70] = logits[37] = 2.5F;
  BOOST_TEST(draw_token(logits, sampling, 0.99) == 37);
  logits[99] = 3;
  BOOST_TEST(draw_token(logits, sampling, 0.0) == 99);
  BOOST_TEST(filter_logits(logits, sampling).size() == 1U);
}

BOOST_AUTO_TEST_CASE(masked_tokens_are_never_drawn) {
  std::vector<float> logits(40, -std::numeric_limits<float>::infinity());
  logits[20] = 1;
  logits[33] = 1;
  const Kept kept = filter_logits(logits, {});
  BOOST_TEST(ids(kept) == (std::vector<TokenId>{20, 33}), boost::test_tools::per_element());
  BOOST_TEST(draw_token(logits, {}, 0) == 20);
  BOOST_TEST(draw_token(logits, {}, std::nextafter(1.0, 0.0)) == 33);
}

BOOST_AUTO_TEST_CASE(broken_logits_are_refused_wherever_they_stand) {
  for (const double temperature : {0.0, 1.0}) {
    Sampling sampling;
    sampling.temperature = temperature;
    for (const std::size_t place : {0U, 15U, 16U, 99U}) {
      std::vector<float> logits(100, 0.0F);
      logits[place] = std::nanf("");
      BOOST_CHECK_THROW(draw_token(logits, sampling, 0.5), Error);
      logits[place] = std::numeric_limits<float>::infinity();
      BOOST_CHECK_THROW(draw_token(logits, sampling, 0.5), Error);
    }
    const std::vector<float> masked(10, -std::numeric_limits<float>::infinity());
    BOOST_CHECK_THROW(draw_token(masked, sampling, 0.5), Error);
    BOOST_CHECK_THROW(draw_token({}, sampling, 0.5), Error);
  }
}

BOOST_AUTO_TEST_CASE(each_response_has_a_stream_of_its_own) {
  const double u = response_random(1, "a", 0).uniform_at(3);
  BOOST_TEST(u == response_random(1, "a", 0).uniform_at(3));
  BOOST_TEST(u != response_random(2, "a", 0).uniform_at(3));
  BOOST_TEST(u != response_random(1, "b", 0).uniform_at(3));
  BOOST_TEST(u != response_random(1, "a", 1).uniform_at(3));
  BOOST_TEST(u != response_random(1, "a", 0).uniform_at(4));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace plumb
