#include <plumb/data_source.h>
#include <plumb/judge.h>
#include <plumb/testing.h>
#include <boost/test/unit_test.hpp>
#include <set>

#include "request.h"

using plumb::Value;
using plumb::testing::PluginUnderTest;

namespace {
std::vector<plumb::Record> rows(const char* records, const char* split, int count) {
  PluginUnderTest plugin;
  auto source = plugin.make<plumb::DataSource>("requests",
                                               Value::map({{"records", records}, {"split", split}, {"count", count}}));
  std::vector<plumb::Record> all;
  while (auto row = source->next()) all.push_back(std::move(*row));
  return all;
}
}  // namespace

BOOST_AUTO_TEST_SUITE(requests_source)

BOOST_AUTO_TEST_CASE(splits_share_no_request) {
  std::set<std::string> asked[2];
  int part = 0;
  for (const char* split : {"train", "heldout"}) {
    for (const auto& row : rows("prompts", split, 3000)) {
      const std::string& text = std::get<plumb::Prompt>(row).messages.front().content;
      asked[part].insert(text.substr(text.find(text.find(" me ") == std::string::npos ? ' ' : 'm')));
    }
    ++part;
  }
  for (const std::string& text : asked[1]) BOOST_TEST(!asked[0].contains(text), text);
}

BOOST_AUTO_TEST_CASE(demonstrations_are_of_mixed_quality) {
  double sum = 0;
  int perfect = 0, two_turn = 0;
  const auto all = rows("demonstrations", "train", 4000);
  for (const auto& row : all) {
    plumb::Conversation messages = std::get<plumb::Demonstration>(row).messages;
    const std::string answer = messages.back().content;
    messages.pop_back();
    two_turn += messages.size() == 3;
    const double score = requests::rate(requests::parse_request(messages).value(), answer).total;
    sum += score;
    perfect += score == 1.0;
  }
  BOOST_TEST(sum / 4000 > 0.65);
  BOOST_TEST(sum / 4000 < 0.85);
  BOOST_TEST(perfect > 200);
  BOOST_TEST(perfect < 1200);
  BOOST_TEST(std::abs(two_turn / 4000.0 - 0.3) < 0.05);
}

BOOST_AUTO_TEST_CASE(a_tenth_of_the_preferences_is_flipped) {
  int flipped = 0;
  for (const auto& row : rows("preferences", "train", 4000)) {
    const auto& preference = std::get<plumb::Preference>(row);
    const auto request = requests::parse_request(preference.prompt.messages).value();
    const double gap =
        requests::rate(request, preference.chosen).total - requests::rate(request, preference.rejected).total;
    BOOST_REQUIRE(gap != 0);
    flipped += gap < 0;
  }
  BOOST_TEST(std::abs(flipped - 400) < 95);  // binomial, standard deviation 19
}

BOOST_AUTO_TEST_CASE(gold_refuses_what_it_cannot_rate) {
  PluginUnderTest plugin;
  auto judge = plugin.make<plumb::Judge>("gold");
  plumb::JudgeRequest request;
  request.prompt = {"x", {{"user", "hello"}}, {}};
  request.answer = "hi";
  const auto judgement = judge->judge(request);
  BOOST_TEST(!judgement.score.has_value());
  BOOST_TEST(judgement.failure.find("prompt x") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
