#include "plumb/rows.h"

#include <boost/test/unit_test.hpp>
#include <cmath>

using namespace plumb;

namespace {

ResponseGroup group() {
  ResponseGroup out{{"p", {{"user", "?"}}, {}}, {}, {}, {}};
  for (const char* text : {"a", "b"}) out.responses.push_back({.text = text, .reward = text[0] == 'a' ? 1.0 : 2.0});
  return out;
}

bool says(const std::string& type, const StageRow& row, const std::string& part) {
  return wrong_row(type, row).find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(rows)

BOOST_AUTO_TEST_CASE(a_row_stands_where_its_record_belongs) {
  BOOST_TEST(wrong_row("prompts", group().prompt) == "");
  BOOST_TEST(wrong_row("scored", group()) == "");
  BOOST_TEST(wrong_row("responses", group()) == "");
  BOOST_TEST(wrong_row("texts", Demonstration{"t", {{"assistant", "text"}}, {}}) == "");
  BOOST_TEST(wrong_row("pairs", PairedGroup{group(), {{"p", 1, 0, 2.0, 1.0, 1.0}}}) == "");
  BOOST_TEST(says("pairs", group(), "no row of pairs"));
  BOOST_TEST(says("metrics", group(), "no row of metrics"));
}

BOOST_AUTO_TEST_CASE(what_a_reader_would_stumble_over_is_refused) {
  Prompt prompt = group().prompt;
  prompt.messages.push_back({"assistant", "!"});
  BOOST_TEST(says("prompts", prompt, "must end with a message of the user"));
  prompt.messages = {{"narrator", "?"}};
  BOOST_TEST(says("prompts", prompt, "role `narrator`"));
  BOOST_TEST(says("prompts", Prompt{"", {{"user", "?"}}, {}}, "no id"));
  ResponseGroup unscored = group();
  unscored.responses[1].reward = std::nan("");
  BOOST_TEST(says("scored", unscored, "no reward, or one that is not finite"));
  BOOST_TEST(says("pairs", PairedGroup{group(), {{"p", 2, 0, {}, {}, {}}}}, "points at response 2"));
  BOOST_TEST(says("pairs", PairedGroup{group(), {{"p", 1, 1, {}, {}, {}}}}, "one response twice"));
  BOOST_TEST(says("pairs", PairedGroup{group(), {{"q", 1, 0, {}, {}, {}}}}, "a pair of prompt `q`"));
}

BOOST_AUTO_TEST_CASE(a_row_of_pairs_is_a_line_of_each_file) {
  const PairedGroup row{group(), {{"p", 1, 0, 2.0, 1.0, 1.0}, {"p", 0, 1, {}, {}, {}}}};
  std::vector<std::string> files;
  each_line("pairs", to_value(row), [&](const std::string& file, const Value& line) {
    files.push_back(file + " " + std::string(line.at("prompt_id").as_string()));
    if (files.size() == 2) BOOST_TEST(line.at("chosen").as_list().front().at("content").as_string() == "b");
  });
  const std::vector<std::string> wanted{"responses.jsonl p", "pairs.jsonl p", "pairs.jsonl p"};
  BOOST_TEST(files == wanted, boost::test_tools::per_element());
  BOOST_TEST(row_files("texts") == std::vector<std::string>{"demonstrations.jsonl"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
