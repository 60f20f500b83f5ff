#include "framework/core/report/comparison_table.h"

#include <boost/test/unit_test.hpp>

using plumb::Comparison;

namespace {

Comparison two_rows() {
  Comparison c;
  c.rows = {"sft", "gap,eta=0.9"};
  c.recipes = {{}, {"stages.pairs.policy.eta 0.8 -> 0.9"}};
  plumb::Difference d;
  d.mean = {0.071, 0.05, 0.092, 0.011, 1, 0.0002, 400, 3};
  d.win_rate = {0.61, 0.58, 0.64, 0.015, 1, 0.0002, 400};
  d.p = 0.0002;
  d.seeds = d.agreeing = 3;
  d.verdict = plumb::Verdict::above;
  c.measures.push_back({"gold", {plumb::Cell{3, 400, {}, 0.7, 0.01, {}}, plumb::Cell{3, 400, 1234, 0.771, 0.02, d}}});
  c.notes = {"seeds are few"};
  c.tradeoffs = {{1,
                  0,
                  "reward",
                  "gold",
                  {0.61, 0.5, 0.7, 0.05, 1, 0.0002, 400},
                  {-0.32, -0.4, -0.2, 0.05, 0, 0.0002, 400},
                  0.0004}};
  return c;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(comparison_table)

BOOST_AUTO_TEST_CASE(a_table_says_what_is_told_apart) {
  const std::string text = plumb::to_text(two_rows(), "table-1");
  const auto has = [&](const std::string& part) {
    BOOST_TEST(text.find(part) != std::string::npos, part + " is not in\n" + text);
  };
  has("table-1: 2 rows; ± is the standard deviation over seeds\n");
  has("row          seeds  gold           failed  over sft");
  has("0.700 ± 0.010\n");
  has("0.771 ± 0.020  1,234   +0.071");
  has("+0.071");
  has("+0.050 to +0.092");
  has("<0.001");
  has("61.0");
  has("gold: gap,eta=0.9 is above sft by 0.071 (95 % interval +0.050 to +0.092 over 400 prompts and 3 seeds; 3 of 3 "
      "seeds agree on "
      "the sign)\n");
  has("note: seeds are few\n");
  has("intervals: of two seeds or more, over seeds and prompts as samples both (Student's t, Clark's min F'); p: "
      "two-sided, adjusted for the 1 difference shown (Holm); repeated prompts count once\n");
  has("over-optimised: gap,eta=0.9: the reward is above that of sft by 0.610 (+0.500 to +0.700), the gold score below "
      "by "
      "0.320 (-0.400 to -0.200)\n");
  has("  gap,eta=0.9\n    stages.pairs.policy.eta 0.8 -> 0.9\n");
  Comparison equal = two_rows();
  equal.measures[0].cells[1]->difference->verdict = plumb::Verdict::not_distinguishable;
  equal.measures[0].cells[1]->failures.reset();
  BOOST_TEST(plumb::to_text(equal, "x").find("failed") == std::string::npos);
  BOOST_TEST(plumb::to_text(equal, "x").find("gold: gap,eta=0.9 and sft are not distinguishable (95 %") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(csv_has_a_line_for_each_row_and_quotes_what_it_must) {
  BOOST_TEST(
      plumb::to_csv(two_rows()) ==
      "measure,row,seeds,prompts,failures,mean,deviation,baseline,difference,low,high,p,p_adjusted,win_rate,win_low,"
      "win_high,seeds_agreeing,verdict\n"
      "gold,sft,3,400,,0.7,0.01,,,,,,,,,,,\n"
      "gold,\"gap,eta=0.9\",3,400,1234,0.771,0.02,sft,0.071,0.05,0.092,2e-04,2e-04,0.61,0.58,0.64,3,above\n");
  BOOST_TEST(plumb::csv_field("say \"x\"") == "\"say \"\"x\"\"\"");
  BOOST_TEST(plumb::csv_field("=1+1") == "'=1+1");
}

BOOST_AUTO_TEST_CASE(json_holds_everything) {
  const plumb::Value value = plumb::parse_json(plumb::to_json(plumb::to_value(two_rows())));
  BOOST_TEST(value.at("baseline").as_string() == "sft");
  const plumb::Value& row = value.at("measures").as_list()[0].at("rows").as_list()[1];
  BOOST_TEST(row.at("difference").at("verdict").as_string() == "above");
  BOOST_TEST(row.at("failures").as_int() == 1234);
  BOOST_TEST(value.at("measures").as_list()[0].at("rows").as_list()[0].at("failures").is_null());
  BOOST_TEST(row.at("win_rate").at("mean").as_double() == 0.61);
  BOOST_TEST(value.at("rows").as_list()[1].at("differs_in").as_list().size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
