#include "plumb/value.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>

#include "plumb/error.h"

using plumb::Value;

namespace {

// The message of the Error that parsing gives, or the text that was accepted.
std::string refusal(const std::string& text) {
  try {
    return "accepted: " + plumb::to_json(plumb::parse_json(text, "x.json"));
  } catch (const plumb::Error& error) {
    BOOST_TEST(static_cast<int>(error.code()) == static_cast<int>(plumb::ErrorCode::data));
    return error.what();
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(value)

BOOST_AUTO_TEST_CASE(access_names_the_types) {
  const Value map = Value::map({{"eta", 0.85}, {"k", 16}, {"on", true}, {"name", "x"}, {"list", Value::list({1, 2})}});
  BOOST_TEST(map.at("eta").as_double() == 0.85);
  BOOST_TEST(map.at("k").as_double() == 16.0);
  BOOST_TEST(map.at("k").as_int() == 16);
  BOOST_TEST(map.at("on").as_bool());
  BOOST_TEST(map.at("list").as_list().size() == 2u);
  BOOST_TEST(map.find("tau") == nullptr);
  BOOST_CHECK_EXCEPTION(static_cast<void>(map.at("tau")), plumb::Error,
                        [](const auto& e) { return std::string(e.what()) == "key `tau` is missing"; });
  BOOST_CHECK_EXCEPTION(static_cast<void>(map.at("name").as_int()), plumb::Error,
                        [](const auto& e) { return std::string(e.what()) == "found string, wanted integer"; });
  BOOST_CHECK_THROW(static_cast<void>(map.at("eta").as_int()), plumb::Error);
}

BOOST_AUTO_TEST_CASE(set_replaces_or_appends) {
  Value map;
  map.set("a", 1);
  map.set("b", 2);
  map.set("a", 3);
  BOOST_TEST(plumb::to_json(map) == R"({"a":3,"b":2})");
}

BOOST_AUTO_TEST_CASE(integers_and_reals_differ_and_marks_do_not_matter) {
  BOOST_TEST((Value(1) == Value(1)));
  BOOST_TEST(!(Value(1) == Value(1.0)));
  Value marked = 1;
  marked.mark = {3, 4};
  BOOST_TEST((marked == Value(1)));
}

BOOST_AUTO_TEST_CASE(writes_canonical_json) {
  const Value value =
      Value::map({{"b", Value::list({1, 2.0, 1e-5, -0.0, 1e300, Value(), false})}, {"a", "x\"\\\n\x01é"}});
  BOOST_TEST(plumb::to_json(value) == R"({"b":[1,2.0,1e-05,-0.0,1e+300,null,false],"a":"x\"\\\n\u0001é"})");
  BOOST_TEST(plumb::to_json(value, true).substr(0, 5) == R"({"a":)");
  BOOST_TEST(plumb::to_json(Value::map({{"a", Value::list({1, Value::map()})}}), false, 2) ==
             "{\n  \"a\": [\n    1,\n    {}\n  ]\n}");
  BOOST_TEST(plumb::to_json("a\xFFz") == "\"a\xEF\xBF\xBDz\"");
  BOOST_CHECK_THROW(plumb::to_json(std::numeric_limits<double>::infinity()), plumb::Error);
}

BOOST_AUTO_TEST_CASE(numbers_survive_a_round_trip) {
  std::mt19937_64 bits(1);
  for (int i = 0; i < 20000; ++i) {
    const auto pattern = bits();
    double number = 0;
    static_assert(sizeof number == sizeof pattern);
    std::memcpy(&number, &pattern, sizeof number);
    if (!std::isfinite(number)) continue;
    const std::string text = plumb::to_json(number);
    BOOST_REQUIRE_MESSAGE(std::strtod(text.c_str(), nullptr) == number, text);
    const Value back = plumb::parse_json(text);
    BOOST_REQUIRE(back.type() == Value::Type::real && back.as_double() == number);
  }
  for (const std::int64_t number :
       {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
    BOOST_TEST(plumb::parse_json(plumb::to_json(number)).as_int() == number);
  }
  BOOST_TEST(plumb::parse_json("9223372036854775808").as_double() == 9223372036854775808.0);
  BOOST_TEST(plumb::parse_json("1e-999").as_double() == 0.0);
  BOOST_TEST(plumb::parse_json("-0.0").as_double() == 0.0);
  BOOST_TEST(std::signbit(plumb::parse_json("-0.0").as_double()));
}

BOOST_AUTO_TEST_CASE(reads_escapes_and_utf8) {
  BOOST_TEST(plumb::parse_json(R"("\u00e9\ud83d\ude00\/\b\f\n\r\t\"\\")").as_string() == "é😀/\b\f\n\r\t\"\\");
  BOOST_TEST(plumb::parse_json("\"é😀\"").as_string() == "é😀");
  BOOST_TEST(plumb::parse_json(R"("\u0000")").as_string() == std::string(1, '\0'));
}

BOOST_AUTO_TEST_CASE(marks_count_lines_and_characters) {
  const Value value = plumb::parse_json("{\"é\": 1,\n  \"b\": [true,\n null]}");
  BOOST_TEST((value.mark == plumb::Mark{1, 1}));
  BOOST_TEST((value.at("é").mark == plumb::Mark{1, 7}));
  BOOST_TEST((value.at("b").key_mark == plumb::Mark{2, 3}));
  BOOST_TEST((value.at("b").mark == plumb::Mark{2, 8}));
  BOOST_TEST((value.at("b").as_list()[1].mark == plumb::Mark{3, 2}));
}

BOOST_AUTO_TEST_CASE(refusals_name_the_place) {
  BOOST_TEST(refusal("{\"a\":1,\n \"b\":2, \"a\":3}") == "x.json:2:9: key \"a\" appears twice");
  BOOST_TEST(refusal("[1, 2") == "x.json:1:6: found the end of the text, wanted `,` or `]`");
  BOOST_TEST(refusal("{\"a\" 1}") == "x.json:1:6: found `1`, wanted `:`");
  BOOST_TEST(refusal("{a: 1}") == "x.json:1:2: found `a`, wanted a key in double quotes");
  BOOST_TEST(refusal("[1,]") == "x.json:1:4: found `]`, wanted a value");
  BOOST_TEST(refusal("1 2") == "x.json:1:3: there is text after the value");
  BOOST_TEST(refusal("") == "x.json:1:1: found the end of the text, wanted a value");
  BOOST_TEST(refusal("01") == "x.json:1:1: a number must not start with 0");
  BOOST_TEST(refusal("[-]") == "x.json:1:2: found `-`, wanted a value");
  BOOST_TEST(refusal("1.e3") == "x.json:1:1: a number needs digits after its point");
  BOOST_TEST(refusal("1e") == "x.json:1:1: a number needs digits in its exponent");
  BOOST_TEST(refusal("1e999") == "x.json:1:1: the number is too large for a double");
  BOOST_TEST(refusal("NaN") == "x.json:1:1: found `N`, wanted a value");
  BOOST_TEST(refusal("nul") == "x.json:1:1: found `n`, wanted a value");
  BOOST_TEST(refusal("\"abc") == "x.json:1:1: the string never ends");
  BOOST_TEST(refusal("\"a\nb\"") == "x.json:1:3: a control character in a string must be escaped");
  BOOST_TEST(refusal("\"\xC0\x80\"") == "x.json:1:2: malformed UTF-8");
  BOOST_TEST(refusal("\"\\ud800\"") == "x.json:1:2: half of a surrogate pair");
  BOOST_TEST(refusal("\"\\ud800\\u0041\"") == "x.json:1:2: half of a surrogate pair");
  BOOST_TEST(refusal("\"\\u12\"") == "x.json:1:2: wanted four hexadecimal digits after \\u");
  BOOST_TEST(refusal("\"\\").find("x.json:1:2: unknown escape") == 0u);
  BOOST_TEST(refusal("\xEF\xBB\xBF{}").find("byte order mark") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(depth_is_capped) {
  BOOST_TEST(refusal(std::string(64, '[') + std::string(64, ']')).find("accepted") == 0u);
  BOOST_TEST(refusal(std::string(66, '[')) == "x.json:1:66: nested more than 64 deep");
  BOOST_TEST(refusal(std::string(1000000, '[')).find("nested more") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
