#include "framework/core/telemetry/text.h"

#include <boost/test/unit_test.hpp>

namespace plumb {

BOOST_AUTO_TEST_SUITE(text)

BOOST_AUTO_TEST_CASE(nothing_in_a_models_text_is_markup) {
  BOOST_TEST(escape_markdown("apple, kiwi and fig") == "apple, kiwi and fig");
  BOOST_TEST(escape_markdown("a|b\n# c") == R"(a\|b<br>\# c)");
  BOOST_TEST(escape_markdown("<img src=x> &amp;") == R"(&lt;img src\=x\> &amp;amp;)");
  BOOST_TEST(escape_markdown("[x](http://e.org)") == R"(\[x\]\(http\://e\.org\))");
  BOOST_TEST(escape_markdown(R"(\`*_)") == R"(\\\`\*\_)");
  BOOST_TEST(escape_markdown("sure! größer 日本") == "sure\\! größer 日本");
}

BOOST_AUTO_TEST_CASE(controls_are_shown_instead_of_obeyed) {
  BOOST_TEST(printable("a\x1b[31mb\tc\r\nd") == "a\uFFFD[31mb c\uFFFD\nd");
  BOOST_TEST(printable("x\u202Ey\u2066z") == "x\uFFFDy\uFFFDz");
  BOOST_TEST(printable("\xC2\x9B") == "\uFFFD");  // CSI as one character
  BOOST_TEST(printable("\xFF") == "\uFFFD");
  BOOST_TEST(escape_markdown("\x07") == "\uFFFD");
}

BOOST_AUTO_TEST_CASE(code_survives_backticks) {
  BOOST_TEST(code_markdown("runs/a*b") == "`runs/a*b`");
  BOOST_TEST(code_markdown("a`b``c") == "``` a`b``c ```");
  BOOST_TEST(code_markdown("a\nb") == "`a\uFFFDb`");
}

BOOST_AUTO_TEST_CASE(columns_are_aligned_by_characters) {
  const Table table{{"model", "gold", "wins"}, {{"sft", "0.7 ± 0.1", ""}, {"aligned", "0.8", "61"}}};
  BOOST_TEST(to_text(table) ==
             "  model    gold       wins\n"
             "  sft      0.7 ± 0.1\n"
             "  aligned  0.8        61\n");
  BOOST_TEST(to_markdown(table) ==
             "| model | gold | wins |\n| --- | --- | --- |\n| sft | 0.7 ± 0.1 |  |\n| aligned | 0.8 | 61 |\n");
}

BOOST_AUTO_TEST_CASE(numbers_have_the_digits_their_interval_supports) {
  BOOST_TEST(show_metric({"x", 0.71509, 0.70509, 0.72509}) == "0.715 ± 0.010");
  BOOST_TEST(show_metric({"x", 0.0714, 0.06, 0.0828}, true) == "+0.071 ± 0.011");
  BOOST_TEST(show_metric({"x", 61.26, 58.2, 64.32}) == "61.3 ± 3.1");
  BOOST_TEST(show_metric({"x", -1.5}) == "-1.500");
  BOOST_TEST(show_metric({"x", 100, 34.2, 100}) == "100.0 (34.2 to 100.0)");
  BOOST_TEST(show_count(0) == "0");
  BOOST_TEST(show_count(999) == "999");
  BOOST_TEST(show_count(-1234567) == "-1,234,567");
  BOOST_TEST(show_value(Value::map({{"name", "reward-gap"}, {"eta", 0.85}, {"n", 12000}})) ==
             "name reward-gap, eta 0.85, n 12,000");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace plumb
