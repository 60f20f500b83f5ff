#include "framework/core/evaluation/comparison.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>

using plumb::compare;
using plumb::Comparison;
using plumb::RunScores;
using plumb::Value;
using plumb::Verdict;

namespace {

RunScores run(const std::string& row, std::uint64_t seed, const std::vector<double>& gold) {
  RunScores out;
  out.row = row;
  out.name = row + ",seed=" + std::to_string(seed);
  out.seed = seed;
  out.recipe = Value::map({{"stages", Value::map({{"pairs", Value::map({{"eta", row}})}})}});
  out.models.push_back({"policy", {}, false, {}, {}, {}, {}, {}});
  for (std::size_t i = 0; i < gold.size(); ++i) {
    out.models[0].scores["gold"]["prompt " + std::to_string(i)] = {gold[i]};
  }
  out.models[0].metrics.push_back({"judge/mean", gold[0], {}, {}, {}, {}});
  return out;
}

Comparison compared(const std::vector<RunScores>& runs, const std::string& baseline = {}) {
  return compare(runs, {.baseline = baseline, .resamples = 2000}).value();
}

const auto exact = boost::test_tools::tolerance(1e-12);

}  // namespace

BOOST_AUTO_TEST_SUITE(comparison)

// Means 2 and 3 over the seeds of `low`: mean 2.5, deviation sqrt(0.5). By prompt and seed `high` is above by
// {1, 1, 1} and {0, 1, 2}: by prompt {0.5, 1, 1.5}.
BOOST_AUTO_TEST_CASE(means_are_over_seeds_and_differences_by_prompt_and_seed) {
  const Comparison c = compared(
      {run("low", 1, {1, 2, 3}), run("low", 2, {2, 3, 4}), run("high", 1, {2, 3, 4}), run("high", 2, {2, 4, 6})});
  BOOST_REQUIRE_EQUAL(c.rows.size(), 2U);
  BOOST_TEST(c.rows[0] == "low");
  const auto& low = *c.measures.at(0).cells[0];
  BOOST_TEST(low.mean == 2.5, exact);
  BOOST_TEST(*low.deviation == std::sqrt(0.5), exact);
  BOOST_TEST(!low.difference);
  const auto& high = *c.measures[0].cells[1];
  BOOST_TEST(high.mean == 3.5, exact);
  BOOST_TEST(high.difference->mean.mean == 1.0, exact);
  BOOST_TEST(high.difference->mean.count == 3U);
  // No seed differs, so it is Student's t over three prompts.
  BOOST_TEST(high.difference->mean.seeds == 2U);
  BOOST_TEST(high.difference->mean.low == 1 - 4.302652729911275 * std::sqrt(0.25 / 3),
             boost::test_tools::tolerance(1e-9));
  // Wins: (1 + ½) / 2, 1 and 1 by prompt.
  BOOST_TEST(high.difference->win_rate.mean == (0.75 + 1 + 1) / 3, exact);
  BOOST_TEST(high.difference->seeds == 2U);
  BOOST_TEST(high.difference->agreeing == 2U);
  BOOST_TEST((high.difference->verdict == Verdict::not_distinguishable));
  BOOST_TEST(c.metrics.at(0).name == "judge/mean");
  BOOST_TEST(c.metrics[0].cells[1]->mean == 2.0, exact);
}

BOOST_AUTO_TEST_CASE(what_differs_in_the_recipes_is_said) {
  const Comparison c = compared({run("0.8", 1, {1, 2}), run("0.9", 1, {1, 2})});
  BOOST_TEST(c.recipes[0].empty());
  BOOST_REQUIRE_EQUAL(c.recipes[1].size(), 1U);
  BOOST_TEST(c.recipes[1][0] == "stages.pairs.eta 0.8 -> 0.9");
}

BOOST_AUTO_TEST_CASE(equal_rows_are_not_told_apart) {
  const Comparison c = compared({run("a", 1, {1, 2, 3, 4}), run("b", 1, {2, 1, 4, 3})});
  BOOST_TEST((c.measures[0].cells[1]->difference->verdict == Verdict::not_distinguishable));
  BOOST_TEST(c.measures[0].cells[1]->difference->win_rate.mean == 0.5, exact);
}

// Fifteen prompts up and five down: a resample's mean is at or below 0 when at most ten of twenty draws are up, with a
// probability of 0.0139 (binomial, 3/4), so p is 0.028 alone and 0.22 among eight.
BOOST_AUTO_TEST_CASE(many_rows_raise_the_bar) {
  const std::vector<double> base(20, 0.0);
  std::vector<double> a(20, 1.0);
  for (std::size_t i = 0; i < 5; ++i) a[i] = -1;
  const Comparison alone = compared({run("base", 1, base), run("a", 1, a)});
  BOOST_TEST((alone.measures[0].cells[1]->difference->verdict == Verdict::above));
  BOOST_TEST(alone.measures[0].cells[1]->difference->p == 2 * 0.0139, boost::test_tools::tolerance(0.3));
  std::vector<RunScores> runs{run("base", 1, base)};
  for (int i = 0; i < 8; ++i) runs.push_back(run("a" + std::to_string(i), 1, a));
  const Comparison among = compared(std::move(runs));
  const auto& one = *among.measures[0].cells[1]->difference;
  BOOST_TEST(one.mean.low > 0);
  BOOST_TEST(one.p == std::min(1.0, 8 * one.mean.p), exact);
  BOOST_TEST((one.verdict == Verdict::not_distinguishable));
}

BOOST_AUTO_TEST_CASE(seeds_that_one_row_lacks_are_left_out_of_its_difference) {
  const Comparison c = compared(
      {run("a", 1, {0, 0}), run("a", 2, {0, 0}), run("a", 3, {5, 5}), run("b", 1, {1, 1}), run("b", 2, {1, 1})});
  BOOST_TEST(c.measures[0].cells[1]->difference->mean.mean == 1.0, exact);
  BOOST_TEST(c.measures[0].cells[1]->difference->seeds == 2U);
}

// Of three prompts the judge says nothing of one of `b`: its mean is over two, the difference over the two that both
// have, and the failures of its seeds are added up.
BOOST_AUTO_TEST_CASE(failed_judgements_are_counted_beside_the_mean) {
  RunScores a = run("a", 1, {1, 2, 3}), b = run("b", 1, {3, 3, 3}), again = run("b", 2, {3, 3, 3});
  b.models[0].scores["gold"].erase("prompt 2");
  b.models[0].score_failures["gold"] = 1;
  again.models[0].score_failures["gold"] = 2;
  b.models[0].metric_failures["judge/mean"] = 1;
  const Comparison c = compared({a, b, again});
  BOOST_TEST(!c.measures[0].cells[0]->failures);
  BOOST_TEST(c.measures[0].cells[1]->failures.value() == 3);
  BOOST_TEST(c.measures[0].cells[1]->difference->mean.mean == 1.5, exact);
  BOOST_TEST(c.metrics[0].cells[1]->failures.value() == 1);
  BOOST_TEST(!c.metrics[0].cells[0]->failures);
  // Five scores of 3 and three failures, among scores from 1 to 3: (15 + 3) / 8 or 3.
  BOOST_TEST(
      std::count(c.notes.begin(), c.notes.end(),
                 "gold: 3 judgements of b failed; the mean is over the others, and with a score more for each, the "
                 "lowest or the highest of the table, it would be 2.250 or 3.000") == 1);
}

BOOST_AUTO_TEST_CASE(scores_of_different_reward_models_are_not_compared) {
  RunScores strong = run("strong", 1, {1, 2}), weak = run("weak", 1, {3, 4});
  strong.models[0].scorers["gold"] = "one";
  weak.models[0].scorers["gold"] = "another";
  const Comparison c = compared({strong, weak});
  BOOST_TEST(!c.measures[0].cells[1]->difference);
  BOOST_TEST(c.measures[0].cells[1]->mean == 3.5, exact);
  BOOST_TEST(c.notes.at(0).find("different reward models scored weak and strong") != std::string::npos);
}

// A weak reward model scored two rows: the second is compared with the first by it, and with the baseline by the judge.
BOOST_AUTO_TEST_CASE(rows_of_one_reward_model_are_compared_among_themselves) {
  const auto with_reward = [](RunScores out, const std::string& scorer, const std::vector<double>& rewards) {
    for (std::size_t i = 0; i < rewards.size(); ++i) {
      out.models[0].scores["reward"]["prompt " + std::to_string(i)] = {rewards[i]};
    }
    out.models[0].scorers["reward"] = scorer;
    return out;
  };
  const Comparison c = compared({with_reward(run("sft", 1, {5, 5, 5}), "strong", {0, 0, 0}),
                                 with_reward(run("ppo", 1, {6, 6, 7}), "strong", {1, 2, 3}),
                                 with_reward(run("sft-weak", 1, {5, 5, 5}), "weak", {7, 7, 7}),
                                 with_reward(run("ppo-weak", 1, {4, 3, 4}), "weak", {9, 8, 10})});
  BOOST_REQUIRE_EQUAL(c.measures.size(), 2U);
  const auto& reward = c.measures[1];
  BOOST_TEST(reward.name == "reward");
  BOOST_TEST(reward.cells[1]->difference->over == 0U);
  BOOST_TEST(reward.cells[1]->difference->mean.mean == 2.0, exact);
  BOOST_TEST(!reward.cells[2]->difference);
  BOOST_TEST(reward.cells[3]->difference->over == 2U);
  BOOST_TEST(reward.cells[3]->difference->mean.mean == 2.0, exact);
  BOOST_TEST(c.measures[0].cells[3]->difference->over == 0U);
  BOOST_TEST(std::count(c.notes.begin(), c.notes.end(),
                        "reward: different reward models scored ppo-weak and sft; it is compared with sft-weak") == 1);
  BOOST_REQUIRE_EQUAL(c.tradeoffs.size(), 2U);
  BOOST_TEST(c.tradeoffs[0].row == 1U);
  BOOST_TEST(!c.tradeoffs[0].over_optimised());
  BOOST_TEST(c.tradeoffs[1].row == 3U);
  BOOST_TEST(c.tradeoffs[1].over == 2U);
  BOOST_TEST(c.tradeoffs[1].score == "gold");
  BOOST_TEST(c.tradeoffs[1].reward_gain.mean == 2.0, exact);
  BOOST_TEST(c.tradeoffs[1].score_gain.mean == -4.0 / 3, exact);
  BOOST_TEST(c.tradeoffs[1].over_optimised());
}

BOOST_AUTO_TEST_CASE(rows_are_named_as_shortly_as_they_can_be) {
  RunScores one = run("quickstart", 1, {1, 2});
  one.models.push_back(one.models[0]);
  one.models[0].model = "sft";
  one.models[1].model = "aligned";
  const Comparison single = compared({one});
  BOOST_TEST(single.rows == (std::vector<std::string>{"sft", "aligned"}), boost::test_tools::per_element());
  RunScores two = one;
  two.row = two.name = "other";
  two.recipe = Value::map({{"stages", "others"}});
  const Comparison both = compared({one, two}, "other: sft");
  BOOST_TEST(both.rows.size() == 4U);
  BOOST_TEST(both.rows[3] == "other: aligned");
  BOOST_TEST(both.baseline == 2U);
}

BOOST_AUTO_TEST_CASE(runs_of_one_recipe_are_seeds_of_one_row) {
  RunScores a = run("x", 1, {1, 2}), b = run("x", 2, {2, 3});
  a.row = a.name = "first";
  b.row = b.name = "second";
  const Comparison c = compared({a, b});
  BOOST_TEST(c.rows == (std::vector<std::string>{"first"}), boost::test_tools::per_element());
  BOOST_TEST(c.measures[0].cells[0]->seeds == 2U);
}

BOOST_AUTO_TEST_CASE(one_recipe_with_one_seed_is_one_run_however_often_it_is_named) {
  RunScores a = run("smoke", 1, {1, 2}), again = a, elsewhere = a;
  a.row = a.name = again.row = again.name = "smoke";
  a.folder = "runs/smoke";
  again.folder = "copy/smoke";
  elsewhere.row = elsewhere.name = "renamed";
  const Comparison c = compared({a, again, elsewhere});
  BOOST_TEST(c.rows == (std::vector<std::string>{"smoke"}), boost::test_tools::per_element());
  BOOST_TEST(c.measures[0].cells[0]->seeds == 1U);
  BOOST_TEST(c.notes.at(0) ==
             "runs/smoke and copy/smoke have one recipe and one seed, 1: they are one run, and the first counts");
}

BOOST_AUTO_TEST_CASE(runs_of_different_recipes_are_different_rows_whatever_they_are_called) {
  RunScores a = run("x", 1, {1, 2}), b = run("y", 1, {2, 3});
  a.row = a.name = b.row = b.name = "smoke";
  a.folder = "runs/smoke";
  b.folder = "other/smoke";
  const Comparison c = compared({a, b});
  BOOST_TEST(c.rows == (std::vector<std::string>{"smoke", "smoke (other/smoke)"}), boost::test_tools::per_element());
  BOOST_TEST(c.measures[0].cells[1]->seeds == 1U);
}

// Two arms start from one policy: it is a row, not two, and counts once among the p values.
BOOST_AUTO_TEST_CASE(one_artifact_is_one_row) {
  const auto arm = [](const std::string& row, std::uint64_t seed, const std::vector<double>& gold) {
    RunScores out = run(row, seed, gold);
    out.models[0].model = "sft";
    out.models[0].artifact = "model-" + std::to_string(seed);
    out.models[0].scores["gold"] = {{"prompt 0", {1.0}}, {"prompt 1", {2.0}}};
    out.models[0].metrics.clear();
    out.models.push_back(run(row, seed, gold).models[0]);
    out.models[1].model = "aligned";
    out.models[1].artifact = "model-" + row + std::to_string(seed);
    return out;
  };
  const Comparison c = compared(
      {arm("0.6", 1, {3, 4}), arm("0.6", 2, {3, 4}), arm("0.8", 1, {5, 6}), arm("0.8", 2, {5, 6})}, "0.8: sft");
  BOOST_TEST(c.rows == (std::vector<std::string>{"sft", "0.6: aligned", "0.8: aligned"}),
             boost::test_tools::per_element());
  BOOST_TEST(c.baseline == 0U);
  BOOST_TEST(c.measures[0].cells[0]->seeds == 2U);
  BOOST_TEST(c.notes.at(0) == "0.6: sft is the same model as 0.8: sft: one row");
  RunScores changed = arm("0.8", 1, {5, 6});
  changed.models[0].scores["gold"]["prompt 0"] = {9.0};
  BOOST_TEST(compared({arm("0.6", 1, {3, 4}), changed}).rows.size() == 4U);
}

// Of a measure with one difference and one with seven, each is one of eight.
BOOST_AUTO_TEST_CASE(all_differences_that_are_shown_are_one_family) {
  const std::vector<double> base(20, 0.0);
  std::vector<double> a(20, 1.0);
  for (std::size_t i = 0; i < 5; ++i) a[i] = -1;
  std::vector<RunScores> runs{run("base", 1, base), run("a", 1, a)};
  for (RunScores& one : runs) {
    for (int i = 0; i < 7; ++i) one.models[0].scores["m" + std::to_string(i)] = one.models[0].scores["gold"];
  }
  const auto& one = *compared(runs).measures[0].cells[1]->difference;
  BOOST_TEST(one.p == std::min(1.0, 8 * one.mean.p), exact);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_compared_is_refused) {
  BOOST_TEST(std::string(compare({run("a", 1, {1})}, {.baseline = "b"}).error().what()).find("no row `b`") !=
             std::string::npos);
  RunScores other = run("b", 1, {1});
  other.models[0].scores["gold"] = {{"another prompt", {1.0}}};
  BOOST_TEST(std::string(compare({run("a", 1, {1}), other}, {}).error().what()).find("different prompts") !=
             std::string::npos);
  BOOST_TEST(!compare({}, {}));
}

BOOST_AUTO_TEST_SUITE_END()
