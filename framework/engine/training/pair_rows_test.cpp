#include "framework/engine/training/pair_rows.h"

#include <boost/test/unit_test.hpp>
#include <cmath>

namespace {
// Two prompts; the first has four answers of 1 to 4 tokens, the second two of 5.
plumb::PairRows rows() {
  plumb::PairRows r;
  r.groups = {{{1, 10, 11}, {{20}, {21, 21}, {22, 22, 22}, {23, 23, 23, 23}}},
              {{1, 12}, {{30, 30, 30, 30, 30}, {31, 31, 31, 31, 31}}}};
  r.names = {"p", "q"};
  r.pairs = {{0, 0, 1, 1.5}, {1, 1, 0, 0.5}, {0, 3, 1, 2.5}, {0, 0, 3, 0.25}};
  return r;
}

std::vector<std::int64_t> integers(const at::Tensor& t) {
  return {t.const_data_ptr<std::int64_t>(), t.const_data_ptr<std::int64_t>() + t.numel()};
}
std::vector<float> floats(const at::Tensor& t) {
  return {t.const_data_ptr<float>(), t.const_data_ptr<float>() + t.numel()};
}
const auto each = boost::test_tools::per_element();
}  // namespace

BOOST_AUTO_TEST_SUITE(pair_rows)

BOOST_AUTO_TEST_CASE(a_prompt_and_a_response_appear_once_however_many_pairs_use_them) {
  const auto r = rows();
  const std::vector<std::size_t> batch{0, 1, 2, 3};
  const auto unique = plumb::gather(r, batch, at::kCPU);
  BOOST_REQUIRE(unique.groups.size() == 2);
  BOOST_TEST(unique.groups[0].completions.size() == 3);  // the third answer is in no pair
  BOOST_TEST(unique.groups[1].completions.size() == 2);
  BOOST_REQUIRE(unique.origin.size() == 5);
  const auto chosen = integers(unique.chosen), rejected = integers(unique.rejected);
  std::vector<std::vector<plumb::TokenId>> flat;
  for (const auto& group : unique.groups) flat.insert(flat.end(), group.completions.begin(), group.completions.end());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto& pair = r.pairs[batch[i]];
    BOOST_TEST(flat[static_cast<std::size_t>(chosen[i])] == r.groups[pair.group].completions[pair.chosen], each);
    BOOST_TEST(flat[static_cast<std::size_t>(rejected[i])] == r.groups[pair.group].completions[pair.rejected], each);
  }
  for (std::size_t i = 0; i < flat.size(); ++i) {
    const auto [group, completion] = unique.origin[i];
    BOOST_TEST(flat[i] == r.groups[group].completions[completion], each);
  }
  BOOST_TEST(floats(unique.chosen_length) == (std::vector<float>{1, 5, 4, 1}), each);
  BOOST_TEST(floats(unique.rejected_length) == (std::vector<float>{2, 5, 2, 4}), each);
  BOOST_TEST(floats(unique.margin) == (std::vector<float>{1.5, 0.5, 2.5, 0.25}), each);
}

BOOST_AUTO_TEST_CASE(tokens_are_counted_as_trl_does_each_answer_with_its_prompt) {
  const std::vector<std::size_t> batch{0, 1};
  const auto totals = rows().totals(batch);
  BOOST_TEST(totals.examples == 2);
  BOOST_TEST(totals.learnt_tokens == 3 + 10);
  BOOST_TEST(totals.tokens == 3 + 2 * 3 + 10 + 2 * 2);
}

BOOST_AUTO_TEST_CASE(arranging_brings_pairs_of_a_prompt_together) {
  std::vector<std::size_t> batch{1, 2, 0, 3};
  rows().arrange(batch);
  BOOST_TEST(batch == (std::vector<std::size_t>{1, 2, 0, 3}), each);
  batch = {3, 1, 0};
  rows().arrange(batch);
  BOOST_TEST(batch == (std::vector<std::size_t>{3, 0, 1}), each);
}

BOOST_AUTO_TEST_CASE(a_pair_is_described_by_its_prompt) {
  BOOST_TEST(rows().describe(2) == "pair 2 (prompt p, responses 3 over 1)");
}

BOOST_AUTO_TEST_SUITE_END()
