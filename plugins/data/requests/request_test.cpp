#include "request.h"

#include <boost/test/unit_test.hpp>

using requests::parse_request;
using requests::rate;

namespace {
double gold(const plumb::Conversation& messages, const char* answer) {
  const auto request = parse_request(messages);
  BOOST_REQUIRE(request.has_value());
  return rate(*request, answer).total;
}
}  // namespace

BOOST_AUTO_TEST_SUITE(request)

BOOST_AUTO_TEST_CASE(a_request_is_understood) {
  const auto request = parse_request({{"user", "give me three fruits not plum, please."}});
  BOOST_REQUIRE(request.has_value());
  BOOST_TEST(request->count == 3);
  BOOST_TEST(requests::categories()[static_cast<std::size_t>(request->category)].name == "fruits");
  BOOST_TEST(request->polite);
  BOOST_TEST(request->forbidden.value() == "plum");
  BOOST_TEST(!parse_request({{"user", "what is the capital of France?"}}).has_value());
  BOOST_TEST(!parse_request({{"user", "name two cats."}}).has_value());
  BOOST_TEST(!parse_request({}).has_value());
}

BOOST_AUTO_TEST_CASE(each_criterion_costs_a_fifth) {
  const plumb::Conversation asked{{"user", "give me three fruits not plum, please."}};
  const auto tolerance = boost::test_tools::tolerance(1e-12);
  BOOST_TEST(gold(asked, "sure! apple, kiwi and fig.") == 1.0, tolerance);
  BOOST_TEST(gold(asked, "apple, kiwi and fig.") == 0.8, tolerance);
  BOOST_TEST(gold(asked, "sure! apple and fig.") == 0.8, tolerance);
  BOOST_TEST(gold(asked, "sure! apple, fig and fig.") == 0.8, tolerance);
  BOOST_TEST(gold(asked, "sure! apple, plum and fig.") == 0.8, tolerance);
  BOOST_TEST(gold(asked, "sure! apple, saw and fig.") == 1 - 0.2 / 3, tolerance);
  BOOST_TEST(gold(asked, "plum and plum.") == 0.2, tolerance);  // only the category is right
}

BOOST_AUTO_TEST_CASE(malformed_answers_are_worth_nothing) {
  const plumb::Conversation asked{{"user", "list two tools."}};
  for (const char* answer : {"", "saw and axe", "saw, axe and", "saw axe.", "sure saw.", "banana.",
                             "saw and axe and file.", "saw and axe. saw.", "Saw and axe.", "sure!", "."}) {
    BOOST_TEST(gold(asked, answer) == 0.0, "answer: " << answer);
  }
}

BOOST_AUTO_TEST_CASE(a_second_turn_remembers_the_first) {
  const plumb::Conversation asked{
      {"user", "name two metals not tin."}, {"assistant", "iron and zinc."}, {"user", "one more, please."}};
  BOOST_TEST(gold(asked, "sure! lead.") == 1.0);
  BOOST_TEST(gold(asked, "sure! iron.") == 0.8);
  BOOST_TEST(gold(asked, "sure! tin.") == 0.8);
  BOOST_TEST(gold(asked, "sure! owl.") == 0.8);
}

BOOST_AUTO_TEST_CASE(writing_and_parsing_agree) {
  plumb::Random random(11);
  for (int i = 0; i < 2000; ++i) {
    requests::Request request;
    request.category = static_cast<int>(random.below(6));
    request.count = 1 + static_cast<int>(random.below(5));
    request.polite = random.uniform() < 0.5;
    if (random.uniform() < 0.5) request.forbidden = "owl";
    const auto parsed = parse_request({{"user", requests::write_request(request, i % 2 == 0 ? "list" : "tell me")}});
    BOOST_REQUIRE(parsed.has_value());
    BOOST_TEST((parsed->category == request.category && parsed->count == request.count &&
                parsed->polite == request.polite && parsed->forbidden == request.forbidden));
    BOOST_TEST(rate(request, requests::draw_answer(request, random)).well_formed);
  }
}

BOOST_AUTO_TEST_SUITE_END()
