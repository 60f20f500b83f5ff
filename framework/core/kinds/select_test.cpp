#include <boost/test/unit_test.hpp>
#include <cmath>

#include "framework/core/artifacts/records_file.h"
#include "framework/core/kinds/test_stage.h"

namespace plumb {
namespace {

using test::TestStage;

ResponseGroup group(const std::string& id, const std::vector<std::pair<const char*, double>>& answers) {
  ResponseGroup made{{id, {{"user", "question " + id}}, {}}, {}, {}, {}};
  for (const auto& [text, reward] : answers) made.responses.push_back({text, {}, FinishReason::stop, reward});
  return made;
}

void give(TestStage& stage, const std::vector<ResponseGroup>& groups) {
  RowWriter rows(stage.add_input("scored", "rewards", artifact_type::scored) / "responses.jsonl");
  for (const ResponseGroup& one : groups) rows.write(to_value(one));
}

Value with_policy(Value policy, std::int64_t max_pairs = 0) {
  return Value::map({{"scored", "rewards"}, {"policy", std::move(policy)}, {"max_pairs", max_pairs}});
}

// Gaps of p1: 3, 1 and 2; of p2: 0.5.
const std::vector<ResponseGroup> two_prompts{group("p1", {{"a", 3.0}, {"b", 0.0}, {"bb", 1.0}}),
                                             group("p2", {{"c", 0.5}, {"d", 0.0}})};

}  // namespace

BOOST_AUTO_TEST_SUITE(select)

BOOST_AUTO_TEST_CASE(pairs_above_the_threshold_with_their_audit) {
  TestStage stage(with_policy(Value::map({{"name", "reward-gap"}, {"eta", 0.85}, {"tau", 1.0}})));
  give(stage, two_prompts);
  run_stage("select", stage);
  // δ = ln(0.85 / 0.15) = 1.7346: gaps 3 and 2.
  BOOST_TEST(stage.summary.at("pairs").as_int() == 2);
  BOOST_TEST(stage.summary.at("prompts_used").as_int() == 1);
  BOOST_TEST(stage.accounted.line() == "left out 1 of 2 prompts: the policy chose nothing of their answers");
  BOOST_TEST(stage.summary.at("delta").as_double() == 1.7346010553881064, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(stage.summary.at("longer_chosen_fraction").as_double() == 0);
  // Pairs a over b and a over bb. All lengths of p2 are 1; of p1 around their means: lengths -1/3, -1/3, 2/3 and
  // rewards 5/3, -4/3, -1/3; rewards of p2 1/4 either way.
  BOOST_TEST(stage.summary.at("chosen_length").as_double() == 1);
  BOOST_TEST(stage.summary.at("rejected_length").as_double() == 1.5);
  BOOST_TEST(stage.summary.at("tied_pairs").as_int() == 0);
  BOOST_TEST(stage.summary.at("reward_length_correlation").as_double() ==
                 (-3.0 / 9) / std::sqrt((42.0 / 9 + 0.125) * (6.0 / 9)),
             boost::test_tools::tolerance(1e-12));

  const PairSet set = read_pairs(stage.folder()).value();
  BOOST_REQUIRE(set.pairs.size() == 2U);
  BOOST_REQUIRE(set.groups.size() == 1U);
  BOOST_TEST(set.groups[0].responses.size() == 3U);
  for (const PairSet::Item& pair : set.pairs) {
    BOOST_TEST(pair.chosen == 0);
    BOOST_TEST(pair.margin == (pair.rejected == 1 ? 3.0 : 2.0));
  }
  const Value gaps = parse_json(read_file(stage.folder() / "gaps.json").value());
  BOOST_TEST(gaps.at("pairs").as_int() == 4);
  std::size_t audited = 0;
  for_each_row(stage.folder() / "audit.jsonl", [&](const Value& row, const std::string&) -> Result<void> {
    ++audited;
    BOOST_TEST(row.at("kept").as_bool() == (row.at("gap").as_double() > 1.7346));
    return {};
  }).value();
  BOOST_TEST(audited > 0U);
}

BOOST_AUTO_TEST_CASE(a_seeded_subsample_keeps_the_order) {
  const Value all = with_policy(Value::map({{"name", "reward-gap"}, {"eta", 0.6}, {"tau", 1.0}}));
  Value some = all;
  some.set("max_pairs", 2);
  TestStage whole(all), part(some), same(some), other(some);
  other.seed_ = 8;
  std::vector<std::string> texts;
  std::vector<ResponseGroup> many;
  for (int i = 0; i < 20; ++i) many.push_back(group("p" + std::to_string(i), {{"a", 2.0}, {"b", 0.0}}));
  for (TestStage* stage : {&whole, &part, &same, &other}) {
    give(*stage, many);
    run_stage("select", *stage);
    texts.push_back(read_file(stage->folder() / "pairs.jsonl").value());
  }
  BOOST_TEST(whole.summary.at("pairs").as_int() == 20);
  BOOST_TEST(part.summary.at("pairs").as_int() == 2);
  BOOST_TEST(part.summary.at("pairs_before_limit").as_int() == 20);
  BOOST_TEST(part.accounted.line() == "left out 18 of 20 pairs: max_pairs 2");
  BOOST_TEST(texts[1] == texts[2]);
  BOOST_TEST(texts[1] != texts[3]);
  const std::size_t second = texts[1].find('\n') + 1;
  BOOST_TEST(texts[0].find(texts[1].substr(0, second)) < texts[0].find(texts[1].substr(second)));
}

BOOST_AUTO_TEST_CASE(identical_responses_count_once) {
  TestStage stage(with_policy(Value::map({{"name", "reward-gap"}, {"eta", 0.6}, {"tau", 1.0}})));
  give(stage, {group("p1", {{"a", 3.0}, {"a", 3.0}, {"b", 0.0}, {"b", 0.0}})});
  run_stage("select", stage);
  BOOST_TEST(stage.summary.at("pairs").as_int() == 1);
  BOOST_TEST(stage.summary.at("duplicate_responses").as_int() == 2);
  BOOST_TEST(stage.accounted.line() ==
             "merged 2 of 4 answers: the same text as another answer to the prompt; deduplicate: false keeps them");
  BOOST_TEST(stage.summary.at("tied_pairs").as_int() == 0);
  Value kept = with_policy(Value::map({{"name", "reward-gap"}, {"eta", 0.6}, {"tau", 1.0}}));
  kept.set("deduplicate", false);
  TestStage repeated(kept);
  give(repeated, {group("p1", {{"a", 3.0}, {"a", 3.0}, {"b", 0.0}, {"b", 0.0}})});
  run_stage("select", repeated);
  BOOST_TEST(repeated.summary.at("pairs").as_int() == 4);
  BOOST_TEST(repeated.summary.at("tied_pairs").as_int() == 2);
}

BOOST_AUTO_TEST_CASE(rejection_sampling_gives_demonstrations) {
  TestStage stage(with_policy(Value::map({{"name", "rejection-sampling"}})));
  give(stage, two_prompts);
  run_stage("select", stage);
  const auto rows = read_demonstrations(stage.folder() / "demonstrations.jsonl").value();
  BOOST_REQUIRE(rows.size() == 2U);
  BOOST_TEST(rows[0].messages.back().content == "a");
  BOOST_TEST(rows[1].messages.back().content == "c");
}

BOOST_AUTO_TEST_CASE(nothing_kept_and_nothing_scored_are_errors) {
  TestStage none(with_policy(Value::map({{"name", "reward-gap"}, {"eta", 0.99}, {"tau", 1.0}})));
  give(none, two_prompts);
  BOOST_CHECK_EXCEPTION(run_stage("select", none), Error, [](const Error& error) {
    return error.code() == ErrorCode::data &&
           std::string(error.what()) ==
               "policy reward-gap kept nothing of 2 prompts, whose reward gaps must be above 4.595. The 4 pairs have "
               "gaps from 0.5 to 3, median 1. Lower the threshold: delta 1 (eta 0.7311 at tau 1) keeps 2, delta 2 (eta "
               "0.8808 at tau 1) keeps 1";
  });
  TestStage unscored(with_policy(Value::map({{"name", "best-vs-worst"}})));
  std::vector<ResponseGroup> groups = two_prompts;
  groups[1].responses[0].reward.reset();
  give(unscored, groups);
  BOOST_CHECK_EXCEPTION(run_stage("select", unscored), Error, [](const Error& error) {
    return std::string(error.what()).find("prompt p2, response 0") != std::string::npos;
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace plumb
