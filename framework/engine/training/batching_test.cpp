#include "framework/engine/training/batching.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <map>
#include <set>

#include "plumb/error.h"

namespace {
// 4 prompts with 1, 7, 20 and 3 pairs.
std::vector<std::size_t> groups() {
  std::vector<std::size_t> g;
  for (const auto& [group, pairs] : std::map<std::size_t, int>{{0, 1}, {1, 7}, {2, 20}, {3, 3}})
    g.insert(g.end(), pairs, group);
  return g;
}

bool is_permutation_of(std::vector<std::size_t> order, std::size_t n) {
  std::sort(order.begin(), order.end());
  for (std::size_t i = 0; i < n; ++i) {
    if (i >= order.size() || order[i] != i) return false;
  }
  return order.size() == n;
}

// Lengths of maximal runs of one group in a cyclic order.
std::vector<std::size_t> runs(const std::vector<std::size_t>& order, const std::vector<std::size_t>& group) {
  const std::size_t n = order.size();
  std::size_t start = 0;
  while (start < n && group[order[start]] == group[order[(start + n - 1) % n]]) ++start;
  std::vector<std::size_t> lengths;
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t here = group[order[(start + i) % n]];
    if (i > 0 && here == group[order[(start + i + n - 1) % n]])
      ++lengths.back();
    else
      lengths.push_back(1);
  }
  return lengths;
}
}  // namespace

BOOST_AUTO_TEST_SUITE(batching)

BOOST_AUTO_TEST_CASE(every_order_visits_each_pair_once_and_changes_with_the_epoch) {
  for (const auto& [name, cap] :
       std::vector<std::pair<std::string, std::int64_t>>{{"exact", 8}, {"grouped", 8}, {"capped", 4}}) {
    BOOST_TEST_CONTEXT(name) {
      const auto order = plumb::pair_order(name, cap, groups());
      const auto first = order(plumb::Random(1).derive(0)), second = order(plumb::Random(1).derive(1));
      BOOST_TEST(is_permutation_of(first, 31));
      BOOST_TEST(is_permutation_of(second, 31));
      BOOST_TEST((first != second));
      BOOST_TEST((first == order(plumb::Random(1).derive(0))));
      BOOST_TEST((first != order(plumb::Random(2).derive(0))));
    }
  }
}

BOOST_AUTO_TEST_CASE(grouped_keeps_the_pairs_of_a_prompt_together) {
  const auto order = plumb::pair_order("grouped", 8, groups())(plumb::Random(5));
  BOOST_TEST(runs(order, groups()).size() == 4);
}

BOOST_AUTO_TEST_CASE(capped_cuts_a_prompt_into_blocks_of_at_most_the_cap) {
  // One block per prompt at least: with cap 4 there are 1 + 2 + 5 + 1 = 9 blocks; neighbours may touch, so runs are
  // fewer.
  std::size_t most = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const auto lengths = runs(plumb::pair_order("capped", 4, groups())(plumb::Random(seed)), groups());
    BOOST_TEST(lengths.size() <= 9);
    most = std::max(most, lengths.size());
  }
  BOOST_TEST(most >= 7);  // 20 pairs of one prompt do not stay together
}

BOOST_AUTO_TEST_CASE(each_pair_is_equally_likely_at_each_position) {
  // 3 standard deviations of a binomial count over 31 positions would fail by chance; 5 do not in 31 x 31 cells.
  constexpr int kEpochs = 31 * 400;
  for (const char* name : {"exact", "grouped", "capped"}) {
    std::vector<int> count(31 * 31);
    const auto order = plumb::pair_order(name, 4, groups());
    for (int e = 0; e < kEpochs; ++e) {
      const auto epoch = order(plumb::Random(9).derive(static_cast<std::uint64_t>(e)));
      for (std::size_t place = 0; place < 31; ++place) ++count[place * 31 + epoch[place]];
    }
    const auto [low, high] = std::minmax_element(count.begin(), count.end());
    BOOST_TEST_CONTEXT(name) {
      BOOST_TEST(*low > 300);
      BOOST_TEST(*high < 500);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_plan_cuts_epochs_into_batches_and_the_last_is_short) {
  plumb::BatchPlan plan({.examples = 10, .batch_size = 4, .epochs = 2}, plumb::shuffled(10), plumb::Random(3));
  BOOST_TEST(plan.updates_per_epoch() == 3);
  BOOST_TEST(plan.updates() == 6);
  for (int epoch = 0; epoch < 2; ++epoch) {
    std::vector<std::size_t> seen;
    for (int b = 0; b < 3; ++b) {
      const auto batch = plan.batch(epoch * 3 + b);
      BOOST_TEST(batch.size() == (b == 2 ? 2U : 4U));
      seen.insert(seen.end(), batch.begin(), batch.end());
    }
    BOOST_TEST(is_permutation_of(seen, 10));
  }
  // A plan that starts in the middle gives the same batch: nothing but the number decides.
  plumb::BatchPlan again({.examples = 10, .batch_size = 4, .epochs = 2}, plumb::shuffled(10), plumb::Random(3));
  const auto later = again.batch(4);
  BOOST_TEST((later == plan.batch(4)));
  BOOST_TEST((plan.batch(1) != plan.batch(4)));
}

BOOST_AUTO_TEST_CASE(updates_follow_epochs_or_max_steps) {
  const auto updates = [](double epochs, std::int64_t max_steps) {
    return plumb::BatchPlan({.examples = 10, .batch_size = 4, .epochs = epochs, .max_steps = max_steps},
                            plumb::shuffled(10), plumb::Random(3))
        .updates();
  };
  BOOST_TEST(updates(0.5, 0) == 2);  // ceil(0.5 * 3)
  BOOST_TEST(updates(3, 0) == 9);
  BOOST_TEST(updates(3, 5) == 5);
  BOOST_TEST(updates(1, 100) == 100);
}

BOOST_AUTO_TEST_CASE(visited_are_the_examples_of_the_planned_updates) {
  plumb::BatchPlan plan({.examples = 10, .batch_size = 3, .epochs = 1, .max_steps = 2}, plumb::shuffled(10),
                        plumb::Random(3));
  std::set<std::size_t> wanted;
  for (int u = 0; u < 2; ++u) {
    for (const auto row : plan.batch(u)) wanted.insert(row);
  }
  const auto visited = plan.visited();
  BOOST_TEST((std::vector<std::size_t>(wanted.begin(), wanted.end()) == visited));
  plumb::BatchPlan whole({.examples = 10, .batch_size = 3, .epochs = 1.5}, plumb::shuffled(10), plumb::Random(3));
  BOOST_TEST(whole.visited().size() == 10);
}

BOOST_AUTO_TEST_CASE(nothing_to_train_on_is_an_error) {
  BOOST_CHECK_THROW(plumb::BatchPlan({.examples = 0}, plumb::shuffled(0), plumb::Random(1)), plumb::Error);
}

BOOST_AUTO_TEST_CASE(micro_batches_cover_the_batch_in_order) {
  const std::vector<std::size_t> batch{5, 3, 9, 1, 7};
  const auto parts = plumb::micro_batches(batch, 2);
  BOOST_REQUIRE(parts.size() == 3);
  BOOST_TEST(parts[0].size() == 2);
  BOOST_TEST(parts[2].size() == 1);
  BOOST_TEST(parts[1][1] == 1);
  BOOST_TEST(plumb::micro_batches(batch, 0).size() == 1);
}

BOOST_AUTO_TEST_SUITE_END()
