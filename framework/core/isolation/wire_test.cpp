#include "framework/core/isolation/wire.h"

#include <bit>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>

using namespace plumb;

namespace {

ResponseGroup a_group() {
  ResponseGroup group;
  Value extra =
      parse_json(R"({"n": null, "t": true, "i": -9007199254740993, "r": 0.1, "s": "é\u0000x", "l": [1, [2]]})");
  group.prompt = {"p-1", {{"system", ""}, {"user", std::string("a\0b", 3)}}, extra};
  group.prompt_ids = {1, -2, std::numeric_limits<TokenId>::max()};
  group.responses.push_back({"one", {}, FinishReason::length, -0.0});
  group.responses.push_back({"", {3}, FinishReason::stop, std::nullopt});
  group.annotation = Preference{"p-1", group.prompt, "good", "bad", 0.1 + 0.2, std::nullopt, 5e-324};
  return group;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(wire)

BOOST_AUTO_TEST_CASE(a_double_keeps_every_bit) {
  const std::uint64_t patterns[] = {0x7ff8000000000007, 0xfff0000000000000, 0x8000000000000000, 1, 0x7fefffffffffffff};
  for (const std::uint64_t bits : patterns) {
    const auto number = std::bit_cast<double>(bits);
    BOOST_TEST(std::bit_cast<std::uint64_t>(unpacked<double>(packed(number))) == bits);
    BOOST_TEST(std::bit_cast<std::uint64_t>(unpacked<Value>(packed(Value(number))).as_double()) == bits);
    BOOST_TEST(std::bit_cast<std::uint64_t>(unpacked<std::vector<double>>(packed(std::vector{0.5, number}))[1]) ==
               bits);
  }
}

BOOST_AUTO_TEST_CASE(records_come_back_as_they_were) {
  const ResponseGroup group = a_group();
  const auto back = unpacked<ResponseGroup>(packed(group));
  BOOST_TEST((back.prompt.messages == group.prompt.messages));
  BOOST_TEST((back.prompt.extra == group.prompt.extra));
  BOOST_TEST(back.prompt.extra.at("r").mark.column == group.prompt.extra.at("r").mark.column);
  BOOST_TEST(back.prompt_ids == group.prompt_ids, boost::test_tools::per_element());
  BOOST_TEST((back.responses[0].finish == FinishReason::length));
  BOOST_TEST(std::signbit(*back.responses[0].reward));
  BOOST_TEST(!back.responses[1].reward.has_value());
  BOOST_TEST(back.responses[1].ids.size() == 1U);
  BOOST_TEST(back.annotation->chosen == "good");
  BOOST_TEST(*back.annotation->chosen_reward == 0.1 + 0.2);
  BOOST_TEST(!back.annotation->rejected_reward.has_value());
  BOOST_TEST(*back.annotation->margin == 5e-324);
  BOOST_TEST(packed(back) == packed(group));

  Evaluation evaluation;
  evaluation.metrics = {{"m", 1, -INFINITY, {}, 0.5, 7}};
  evaluation.answers = {{"p", "sft", {{"user", "q"}}, "a", {{"x", 2}, {"y", 3}}, Value::map({{"k", 1}})}};
  evaluation.failures = {{"m", 3}};
  evaluation.files = {{"a/b.json", "{}"}};
  const auto measured = unpacked<Evaluation>(packed(evaluation));
  BOOST_TEST(*measured.metrics[0].low == -INFINITY);
  BOOST_TEST(!measured.metrics[0].high.has_value());
  BOOST_TEST(*measured.metrics[0].standard_error == 0.5);
  BOOST_TEST(*measured.metrics[0].count == 7);
  BOOST_TEST(measured.answers[0].scores.at("y") == 3);
  BOOST_TEST(measured.failures.at("m") == 3);
  BOOST_TEST(measured.files.at("a/b.json") == "{}");

  const auto judged = unpacked<Judgement>(packed(Judgement{0.5, {}, "said", "why", 3, 4}));
  BOOST_TEST((*judged.score == 0.5 && !judged.preference && judged.text == "said" && judged.failure == "why" &&
              judged.prompt_tokens == 3 && judged.completion_tokens == 4));

  const auto open = unpacked<OpenOptions>(packed(OpenOptions{{"bfloat16", "cuda:1", "int8"}, 3, 4, "oasst", true}));
  BOOST_TEST((open.placement.dtype == "bfloat16" && open.placement.device == "cuda:1" && open.placement.int8()));
  BOOST_TEST((open.rows == 3 && open.batch_tokens == 4));
  BOOST_TEST((open.chat_format == "oasst" && open.truncate_left));
}

BOOST_AUTO_TEST_CASE(a_place_in_the_recipe_comes_along) {
  Value value = Value::map({{"eta", 0.5}});
  value.find("eta")->mark = {7, 9};
  value.find("eta")->key_mark = {7, 4};
  const auto back = unpacked<Value>(packed(value));
  BOOST_TEST((back.at("eta").mark == Mark{7, 9}));
  BOOST_TEST((back.at("eta").key_mark == Mark{7, 4}));
  BOOST_TEST((back.mark == Mark{}));
}

// A component's end may send anything.
BOOST_AUTO_TEST_CASE(what_is_cut_or_changed_is_refused_or_read_and_nothing_else) {
  const std::string whole = packed(a_group());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    BOOST_CHECK_THROW(unpacked<ResponseGroup>(whole.substr(0, size)), Error);
  }
  BOOST_CHECK_THROW(unpacked<ResponseGroup>(whole + "x"), Error);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int change : {1, 0x40, 0x80, 0xff}) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ change);
      try {
        static_cast<void>(unpacked<ResponseGroup>(changed));
      } catch (const Error& error) {
        BOOST_TEST((error.code() == ErrorCode::plugin));
      }
    }
  }
  std::string nested;
  for (int i = 0; i < 100000; ++i) nested += packed(Value::List{Value()}).substr(0, 9);
  BOOST_CHECK_THROW(unpacked<Value>(nested), Error);
}

BOOST_AUTO_TEST_SUITE_END()
