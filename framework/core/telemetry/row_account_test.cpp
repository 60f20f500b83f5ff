#include "framework/core/telemetry/row_account.h"

#include <boost/test/unit_test.hpp>

using plumb::RowAccount;
using plumb::Value;

BOOST_AUTO_TEST_SUITE(row_account)

BOOST_AUTO_TEST_CASE(one_reason_is_a_sentence_that_ends_with_its_cure) {
  RowAccount account;
  account.add({{"no answer; for preferences set records: preferences", 300}}, 0);
  BOOST_TEST(account.line() == "left out 300 of 300 rows: no answer; for preferences set records: preferences");
  BOOST_TEST(account.count("no answer") == 300);
}

BOOST_AUTO_TEST_CASE(several_reasons_are_listed_by_count_and_rows_that_were_cut_apart) {
  RowAccount account;
  account.add(
      {{"duplicate; deduplicate: false keeps them", 2}, {"turns out of order", 1500}, {"cut: the human ends", 4}}, 498);
  account.add({.what = "cut", .count = 0, .of = 9, .reason = "nothing of this kind"});
  const std::vector<std::string> wanted{
      "cut 4 of 2,000 rows: the human ends",
      "left out 1,502 of 2,000 rows: 1,500 turns out of order, 2 duplicate (deduplicate: false keeps them)"};
  BOOST_TEST(account.lines() == wanted, boost::test_tools::per_element());
  BOOST_TEST(account.line() == wanted[0] + "; " + wanted[1]);
}

BOOST_AUTO_TEST_CASE(counts_of_one_reason_are_added_and_the_first_is_named) {
  RowAccount account;
  account.add({.count = 1, .of = 5, .unit = "pairs", .reason = "longer than max_length 8", .first = "p1: 9 tokens"});
  account.add({.count = 2, .of = 5, .unit = "pairs", .reason = "longer than max_length 8", .first = "p4: 12 tokens"});
  BOOST_TEST(account.line() == "left out 3 of 5 pairs: longer than max_length 8 (first p1: 9 tokens)");
}

BOOST_AUTO_TEST_CASE(survives_a_manifest) {
  RowAccount account;
  account.add({.count = 1, .of = 2, .reason = "tied", .cure = "none", .first = "x"});
  account.add({.what = "cut", .count = 2, .of = 2, .unit = "answers", .reason = "long"});
  const Value summary = Value::map({{"rows", 1}, {RowAccount::key, account.to_value()}});
  BOOST_TEST(RowAccount::of_summary(summary).line() == account.line());
  BOOST_TEST(RowAccount::of_summary(Value::map({{"rows", 1}})).empty());
  BOOST_TEST(RowAccount::of_summary(Value()).empty());
}

BOOST_AUTO_TEST_SUITE_END()
