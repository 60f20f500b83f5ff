#include "framework/core/recipe/yaml.h"

#include <boost/test/unit_test.hpp>

#include "framework/core/recipe/yaml_scalar.h"

using plumb::Mark;
using plumb::Value;
using plumb::YamlDocument;

namespace boost::test_tools::tt_detail {
template <>
struct print_log_value<Mark> {
  void operator()(std::ostream& out, const Mark& m) { out << m.line << ":" << m.column; }
};
template <>
struct print_log_value<Value> {
  void operator()(std::ostream& out, const Value& v) { out << plumb::to_json(v); }
};
}  // namespace boost::test_tools::tt_detail

namespace {

Value read(const std::string& text) {
  YamlDocument document = plumb::parse_yaml(text);
  for (const auto& problem : document.problems) BOOST_ERROR(problem.message);
  return document.value;
}

// The only problem of a text.
void refused(const std::string& text, int line, int column, const std::string& part) {
  BOOST_TEST_CONTEXT(text.substr(0, 80)) {
    const YamlDocument document = plumb::parse_yaml(text);
    BOOST_REQUIRE_EQUAL(document.problems.size(), 1U);
    BOOST_TEST(document.problems[0].mark == (Mark{line, column}));
    BOOST_TEST(document.problems[0].message.find(part) != std::string::npos, document.problems[0].message);
  }
}

std::string repeat(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(yaml)

BOOST_AUTO_TEST_CASE(scalars_follow_the_core_schema) {
  const Value v = read(R"(
yes_: yes
norway: NO
on_: on
t: true
f: false
n: null
tilde: ~
empty:
i: 42
minus: -7
plus: +5
r: 1.0e-5
e: 1e-5
big: 6.02E23
dot: .5
version: 1.2.3
time: 12:30
date: 2026-01-01
quoted: "10"
single: 'true'
text: a b
dash: "-"
)");
  BOOST_TEST(v.at("yes_") == Value("yes"));
  BOOST_TEST(v.at("norway") == Value("NO"));
  BOOST_TEST(v.at("on_") == Value("on"));
  BOOST_TEST(v.at("t") == Value(true));
  BOOST_TEST(v.at("f") == Value(false));
  BOOST_TEST(v.at("n").is_null());
  BOOST_TEST(v.at("tilde").is_null());
  BOOST_TEST(v.at("empty").is_null());
  BOOST_TEST(v.at("i") == Value(42));
  BOOST_TEST(v.at("minus") == Value(-7));
  BOOST_TEST(v.at("plus") == Value(5));
  BOOST_TEST(v.at("r") == Value(1e-5));
  BOOST_TEST(v.at("e") == Value(1e-5));
  BOOST_TEST(v.at("big") == Value(6.02e23));
  BOOST_TEST(v.at("dot") == Value(0.5));
  BOOST_TEST(v.at("version") == Value("1.2.3"));
  BOOST_TEST(v.at("time") == Value("12:30"));
  BOOST_TEST(v.at("date") == Value("2026-01-01"));
  BOOST_TEST(v.at("quoted") == Value("10"));
  BOOST_TEST(v.at("single") == Value("true"));
  BOOST_TEST(v.at("text") == Value("a b"));
  BOOST_TEST(v.at("dash") == Value("-"));
}

BOOST_AUTO_TEST_CASE(numbers_that_other_readers_take_differently_are_refused) {
  refused("a: 010\n", 1, 4, "write 10");
  refused("a: -007\n", 1, 4, "write -7");
  refused("a: 00\n", 1, 4, "write 0,");
  refused("a: 0x1F\n", 1, 4, "write 31");
  refused("a: 0o17\n", 1, 4, "write 15");
  refused("a: 0b11\n", 1, 4, "write 3,");
  refused("a: 1_000\n", 1, 4, "write 1000");
  refused("a: .inf\n", 1, 4, "finite");
  refused("a: -.INF\n", 1, 4, "finite");
  refused("a: .nan\n", 1, 4, "finite");
  refused("a: 1e999\n", 1, 4, "does not fit");
  refused("a: 9223372036854775808\n", 1, 4, "does not fit");
  refused("a: True\n", 1, 4, "write true");
  refused("a: FALSE\n", 1, 4, "write false");
  refused("a: Null\n", 1, 4, "write null");
  BOOST_TEST(read("a: 9223372036854775807\n").at("a") == Value(std::int64_t{9223372036854775807}));
  BOOST_TEST(read("a: -9223372036854775808\n").at("a").type_name() == std::string("integer"));
  BOOST_TEST(read("a: 0\nb: 0.5\nc: -0\n").at("b") == Value(0.5));
}

BOOST_AUTO_TEST_CASE(marks_count_lines_and_characters) {
  const Value v = read("ä: [ü, {ö: 1}]\nblock:\n  - x\n  - |\n    text\nlast:\n");
  BOOST_TEST(v.at("ä").key_mark == (Mark{1, 1}));
  BOOST_TEST(v.at("ä").mark == (Mark{1, 4}));
  BOOST_TEST(v.at("ä").as_list()[1].mark == (Mark{1, 8}));
  BOOST_TEST(v.at("ä").as_list()[1].at("ö").mark == (Mark{1, 12}));
  BOOST_TEST(v.at("block").as_list()[1].mark == (Mark{4, 5}));
  BOOST_TEST(v.at("block").as_list()[1] == Value("text\n"));
  BOOST_TEST(v.at("last").mark == (Mark{6, 1}));  // an absent value stands where its key does
  BOOST_TEST(read("\xEF\xBB\xBF"
                  "a: 1\r\nb: 2\r\n")
                 .at("b")
                 .mark == (Mark{2, 4}));
}

BOOST_AUTO_TEST_CASE(constructs_that_surprise_are_refused) {
  refused("a: 1\nb: 2\na: 3\n", 3, 1, "the first stands in line 1, column 1");
  refused("x: {a: 1, 'a': 2}\n", 1, 11, "duplicate key");
  refused("a: &n 1\n", 1, 4, "anchor '&n'");
  refused("a: !!int 3\n", 1, 4, "tag");
  refused("a: !mine {b: 1}\n", 1, 4, "tag");
  refused("a: ! x\n", 1, 4, "tag");
  refused("<<: {a: 1}\n", 1, 1, "merge keys");
  refused("1: x\n", 1, 1, "a key must be text");
  refused("true: x\n", 1, 1, "a key must be text");
  refused("~: x\n", 1, 1, "a key must be text");
  refused("? [a, b]\n: 1\nc: 2\n", 1, 3, "a key must be text");
  refused("? a\n: 1\n", 1, 3, "key without a value");
  refused("a: 1\n---\nb: 2\n", 2, 1, "second document");
  refused("a: 1\n...\nb: 2\n", 3, 1, "second document");
  refused("a:\tb\n", 1, 3, "tab");
  refused("a:\n\tb: 1\n", 2, 1, "indent with blanks");
  refused("foo: bar\nbaz\n", 2, 1, "key without a value");
  refused("a: {x:1, y: 2}\n", 1, 5, "a space must follow the ':'");
  refused("a: {x: 1, y}\n", 1, 11, "key without a value");
  refused(std::string("a: b\0c\n", 7), 1, 5, "U+0000");
  refused("a: \"\x7F\"\n", 1, 5, "U+007F");
  refused("a: \xFF\n", 1, 4, "0xFF is not UTF-8");
  refused("a: \xC0\x80\n", 1, 4, "not UTF-8");
  refused("a: 1\rb: 2\n", 1, 5, "U+000D");
  BOOST_TEST(read("'1': x\n\"<<\": y\n").at("<<") == Value("y"));
  BOOST_TEST(read("--- # one document may be marked\na: 'it''s: fine'\n\"k\\\"\" : 1\n'it''s': 2\n").as_map().size() ==
             3U);
}

BOOST_AUTO_TEST_CASE(an_alias_is_refused_before_it_is_followed) {
  const YamlDocument cyclic = plumb::parse_yaml("a: &x [*x]\nb: *x\n");
  BOOST_REQUIRE_EQUAL(cyclic.problems.size(), 3U);
  BOOST_TEST(cyclic.problems[1].mark == (Mark{1, 8}));
  BOOST_TEST(cyclic.problems[2].mark == (Mark{2, 4}));
  std::string bomb = "a0: &a0 x\n";
  for (int i = 1; i < 12; ++i) {
    const std::string above = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + repeat(above + ", ", 9) + above + "]\n";
  }
  BOOST_TEST(plumb::parse_yaml(bomb).problems.size() == 12U + 110U);
}

BOOST_AUTO_TEST_CASE(broken_text_is_refused_at_its_place) {
  refused("a: [1, 2\nb: 3\n", 1, 4, "not closed");
  refused("a: {x: 1 y: 2}\n", 1, 11, "a comma");
  refused("a: [1, 2]]\n", 1, 10, "nothing opened");
  refused("a: b: c\n", 1, 5, "put text that holds ': ' in quotes");
  refused("x:\n  a: 1\n  bee\n  c: 2\n", 3, 3, "key without a value");
  refused("a: - b\n", 1, 4, "list item");
  refused("a: @x\n", 1, 4, "cannot start a value");
  refused("a:\n    b: 1\n  c: 2\n", 3, 3, "same column");
  refused("a: \"x\n", 1, 4, "quote is not closed");
  refused("a: 'x\nb: 2\n", 1, 4, "quote is not closed");
  BOOST_TEST(!plumb::parse_yaml("a: \"\\q\"\n").problems.empty());
}

BOOST_AUTO_TEST_CASE(all_problems_come_at_once_in_order) {
  const YamlDocument d = plumb::parse_yaml("a: 010\nb: {c: 1, c: 2}\nd:\tTrue\na: *x\n");
  // The undefined alias ends the parse, the rest is complete.
  BOOST_REQUIRE_EQUAL(d.problems.size(), 6U);
  const std::vector<Mark> expected = {{1, 4}, {2, 11}, {3, 3}, {3, 4}, {4, 1}, {4, 4}};
  for (std::size_t i = 0; i < expected.size(); ++i) BOOST_TEST(d.problems[i].mark == expected[i]);
}

BOOST_AUTO_TEST_CASE(an_open_bracket_leaves_what_stands_before_it) {
  const YamlDocument d = plumb::parse_yaml("a: 010\nb: [x,\ty, z\n");
  BOOST_REQUIRE_EQUAL(d.problems.size(), 3U);
  BOOST_TEST(d.problems[0].mark == (Mark{1, 4}));
  BOOST_TEST(d.problems[1].mark == (Mark{2, 4}));
  BOOST_TEST(d.problems[2].mark == (Mark{2, 7}));
}

BOOST_AUTO_TEST_CASE(depth_and_size_are_limited) {
  const std::string deep = repeat("[", 32) + repeat("]", 32);
  BOOST_TEST(plumb::parse_yaml(deep).problems.empty());
  refused(repeat("[", 33) + repeat("]", 33), 1, 33, "32 levels");
  refused(repeat("{a: ", 40) + repeat("}", 40), 1, 32 * 4 + 1, "32 levels");
  refused(repeat("- ", 1000), 1, 65, "32 levels");
  refused(repeat("[", plumb::kYamlBytes), 1, 33, "32 levels");
  refused(repeat(" ", plumb::kYamlBytes + 1), 1, 1, "at most");
  std::string nested;
  for (int i = 0; i < 40; ++i) nested += repeat("  ", i) + "a:\n";
  refused(nested, 33, 65, "32 levels");
}

BOOST_AUTO_TEST_CASE(written_text_reads_back) {
  const Value v = Value::map(
      {{"name", "quick start"},
       {"seed", 3},
       {"empty", Value::map()},
       {"none", Value::List()},
       {"stages", Value::map({{"sft", Value::map({{"stage", "sft"},
                                                  {"rate", 1e-5},
                                                  {"one", 1.0},
                                                  {"huge", 1e300},
                                                  {"no", "NO"},
                                                  {"yes", "true"},
                                                  {"ten", "010"},
                                                  {"nothing", Value()},
                                                  {"list", Value::list({"a, b", "c: d", "", " x", "-", "...", "é"})},
                                                  {"long", repeat("text with \"quotes\"\nand\ttabs\x01 \\ ", 100)},
                                                  {"policy", Value::map({{"name", "reward-gap"}, {"1", 0.85}})}})}})}});
  const std::string text = plumb::write_yaml(v);
  BOOST_TEST(read(text) == v);
  BOOST_TEST(text.find("    policy: {name: reward-gap, \"1\": 0.85}\n") != std::string::npos, text);
}

BOOST_AUTO_TEST_SUITE_END()
