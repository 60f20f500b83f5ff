#include "framework/core/recipe/problem.h"

#include <boost/test/unit_test.hpp>

using plumb::Mark;
using plumb::Problem;
using plumb::RecipeText;

BOOST_AUTO_TEST_SUITE(problem)

BOOST_AUTO_TEST_CASE(text_shows_the_line_and_a_caret_under_the_character) {
  const RecipeText text{"r.yaml", "name: x\nä: [ö, 010]\r\n", {"seed=x"}};
  const std::vector<Problem> problems = {{{2, 8}, "ä.1", "starts with a zero", "10"},
                                         {{0, 1}, "seed", "wanted an integer", ""}};
  BOOST_TEST(plumb::show_problems(problems, text) ==
             "r.yaml:2:8: ä.1: starts with a zero; nearest: 10\n"
             "    2 | ä: [ö, 010]\n"
             "      |        ^\n"
             "--set seed=x: seed: wanted an integer\n"
             "r.yaml: 2 problems\n");
}

BOOST_AUTO_TEST_CASE(long_lines_are_cut_around_the_column) {
  const std::string line = "key: " + std::string(300, 'a') + "X" + std::string(300, 'b');
  const std::string shown = plumb::show_problems({{{1, 306}, "", "here", ""}}, {"r.yaml", line, {}});
  const auto second = shown.find('\n') + 1, third = shown.find('\n', second) + 1;
  const auto caret = shown.find('^', third) - third;
  std::string source = shown.substr(second, third - second);
  source.replace(source.find("…"), 3, ".");  // one column, three bytes
  BOOST_TEST(source[caret] == 'X');
  BOOST_TEST(source.size() < 130U);
}

BOOST_AUTO_TEST_CASE(problems_come_in_the_order_of_the_file_and_once) {
  std::vector<Problem> problems = {{{0, 2}, "b", "m", ""}, {{9, 1}, "c", "m", ""}, {{0, 1}, "a", "m", ""},
                                   {{2, 5}, "d", "m", ""}, {{2, 3}, "e", "m", ""}, {{2, 3}, "e", "m", ""}};
  plumb::sort_problems(problems);
  std::string order;
  for (const Problem& p : problems) order += p.key;
  BOOST_TEST(order == "edcab");
}

BOOST_AUTO_TEST_CASE(json_has_the_same_fields) {
  const RecipeText text{"r.yaml", "", {"seed=x"}};
  const plumb::Value v = plumb::describe_problems({{{2, 8}, "a", "m", "n"}, {{0, 1}, "seed", "w", ""}}, text);
  BOOST_TEST(plumb::to_json(v) == R"([{"file":"r.yaml","line":2,"column":8,"key":"a","message":"m","nearest":"n"},)"
                                  R"({"set":"seed=x","key":"seed","message":"w","nearest":null}])");
}

BOOST_AUTO_TEST_CASE(items_of_lists_are_counted_as_set_takes_them) {
  const Problem p = plumb::to_problem({"evaluators[1].name", {3, 4}, "m", ""}, "stages.gold");
  BOOST_TEST(p.key == "stages.gold.evaluators.1.name");
}

BOOST_AUTO_TEST_SUITE_END()
