#include "framework/core/recipe/sweep.h"

#include <boost/test/unit_test.hpp>

#include "framework/core/recipe/yaml.h"

using plumb::Mark;
using plumb::Problem;
using plumb::Sweep;

namespace {

plumb::RecipeSource source_of(const std::string& sweep, const std::vector<std::string>& sets = {}) {
  plumb::RecipeSource source;
  source.text.text = sweep;
  source.text.overrides = sets;
  source.root = plumb::parse_yaml(sweep).value;
  return source;
}

std::vector<std::string> names(const std::string& text) {
  std::vector<Problem> problems;
  const auto sweep = plumb::read_sweep(source_of(text), problems);
  for (const Problem& p : problems) BOOST_ERROR(p.key + ": " + p.message);
  std::vector<std::string> out;
  for (const plumb::Arm& arm : sweep->arms) out.push_back(arm.name);
  return out;
}

void refused(const std::string& text, Mark mark, const std::string& key, const std::string& part,
             const std::vector<std::string>& sets = {}) {
  BOOST_TEST_CONTEXT(text) {
    std::vector<Problem> problems;
    plumb::read_sweep(source_of(text, sets), problems);
    BOOST_REQUIRE_EQUAL(problems.size(), 1U);
    BOOST_TEST((problems[0].mark == mark), problems[0].mark.line << ":" << problems[0].mark.column);
    BOOST_TEST(problems[0].key == key);
    BOOST_TEST(problems[0].message.find(part) != std::string::npos, problems[0].message);
  }
}

using Names = std::vector<std::string>;

}  // namespace

BOOST_AUTO_TEST_SUITE(sweeps)

BOOST_AUTO_TEST_CASE(arms_are_the_product_of_seeds_list_zip_and_grid) {
  BOOST_TEST(names("sweep: {seeds: [3, 5]}") == (Names{"seed=3", "seed=5"}), boost::test_tools::per_element());
  BOOST_TEST(names("sweep: {grid: {a.eta: [0.8, 0.9], a.tau: [1, 2]}}") ==
                 (Names{"eta=0.8,tau=1", "eta=0.8,tau=2", "eta=0.9,tau=1", "eta=0.9,tau=2"}),
             boost::test_tools::per_element());
  BOOST_TEST(names("sweep: {zip: {a.eta: [0.8, 0.9], a.tau: [1, 2]}}") == (Names{"eta=0.8,tau=1", "eta=0.9,tau=2"}),
             boost::test_tools::per_element());
  BOOST_TEST(names("sweep: {seeds: [1, 2], list: {low: {a.x: 1}, high: {}}, grid: {a.y: [7, 8]}}") ==
                 (Names{"low,y=7,seed=1", "low,y=8,seed=1", "high,y=7,seed=1", "high,y=8,seed=1", "low,y=7,seed=2",
                        "low,y=8,seed=2", "high,y=7,seed=2", "high,y=8,seed=2"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(names_say_what_differs_in_as_few_words_as_possible) {
  BOOST_TEST(names("sweep: {grid: {stages.a.rate: [1], stages.b.rate: [2], stages.b.steps: [3]}}")[0] ==
             "a.rate=1,b.rate=2,steps=3");
  BOOST_TEST(names("sweep: {grid: {a.policy: [best-vs-worst, {name: reward-gap, eta: 0.9}, [1, 2]]}}") ==
                 (Names{"policy=best-vs-worst", "policy=reward-gap", "policy=3"}),
             boost::test_tools::per_element());
  BOOST_TEST(names("sweep: {grid: {a.path: [\"../x y/z\"]}}")[0] == "path=..-x-y-z");
  BOOST_TEST(names("sweep: {grid: {a.rate: [1.0e-3]}}")[0] == "rate=0.001");
}

BOOST_AUTO_TEST_CASE(an_arm_holds_its_row_seed_and_values) {
  std::vector<Problem> problems;
  const auto sweep = plumb::read_sweep(
      source_of(
          "sweep:\n  seeds: [4]\n  list: {low: {a.x: 1}}\n  grid: {a.y: [7]}\n  until: [gold]\n  baseline: low,y=7\n"),
      problems);
  BOOST_REQUIRE(problems.empty());
  const plumb::Arm& arm = sweep->arms.at(0);
  BOOST_TEST(arm.row == "low,y=7");
  BOOST_TEST(*arm.seed == 4U);
  BOOST_REQUIRE_EQUAL(arm.choices.size(), 3U);
  BOOST_TEST(arm.choices[0].key == "a.x");
  BOOST_TEST(arm.choices[1].key == "a.y");
  BOOST_TEST((arm.choices[1].mark == Mark{4, 10}));
  BOOST_TEST(arm.choices[2].key == "seed");
  BOOST_TEST(sweep->until == Names{"gold"}, boost::test_tools::per_element());
  BOOST_TEST(sweep->baseline == "low,y=7");
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_said_with_its_place) {
  refused("sweep: {}", {1, 1}, "sweep", "nothing varies");
  refused("sweep: {sedds: [1]}", {1, 9}, "sweep.sedds", "unknown key");
  refused("sweep: {seeds: [1, 2, 1]}", {1, 23}, "sweep.seeds", "stands twice");
  refused("sweep: {seeds: []}", {1, 16}, "sweep.seeds", "empty");
  refused("sweep: {seeds: [-1]}", {1, 17}, "sweep.seeds.0", "at least 0");
  refused("sweep: {seeds: [1], list: [a]}", {1, 27}, "sweep.list", "found list");
  refused("sweep: {seeds: [1], grid: {a.b: 3}}", {1, 33}, "sweep.grid.a.b", "list of values");
  refused("sweep: {grid: {a.b: [3, 4, 3]}}", {1, 28}, "sweep.grid.a.b", "twice");
  refused("sweep: {grid: {a..b: [3]}}", {1, 16}, "sweep.grid.a..b", "dotted key");
  refused("sweep: {grid: {seed: [3]}}", {1, 16}, "sweep.grid.seed", "sweep.seeds");
  refused("sweep: {list: {one: {name: x}}}", {1, 22}, "sweep.list.one.name", "same in all arms");
  refused("sweep: {zip: {a.b: [1, 2], a.c: [1]}}", {1, 33}, "sweep.zip.a.c", "has 1 values, `a.b` has 2");
  refused("sweep: {zip: {a.b: [1]}, grid: {a.b: [1]}}", {1, 33}, "sweep.grid.a.b", "keep one");
  refused("sweep: {list: {one: {a.b: 1}}, grid: {a.b: [1]}}", {1, 22}, "sweep.list.one.a.b", "in every arm");
  refused("sweep: {list: {one/two: {}}}", {1, 16}, "sweep.list.one/two", "names of arms");
  refused("sweep: {list: {one: 3}}", {1, 21}, "sweep.list.one", "map of dotted keys");
  refused("sweep: {list: {one: {}}, baseline: two}", {1, 36}, "sweep.baseline", "no arm is called");
  refused("sweep: {list: {one: {}}, published: 3}", {1, 37}, "sweep.published", "wanted `{source");
  refused("sweep: {list: {one: {}}, published: {rows: {two: {m: 1}}}}", {1, 45}, "sweep.published.rows.two", "no arm");
  refused("sweep: {list: {one: {}}, published: {rows: {one: {m: x}}}}", {1, 54}, "sweep.published.rows.one.m",
          "number");
  refused("sweep: {list: {one: {}}, published: {row: 1, rows: {}}}", {1, 38}, "sweep.published.row", "unknown key");
  refused("sweep: {grid: {a.b: [x y, x-y]}}", {1, 1}, "sweep", "two arms are called `b=x-y`");
}

BOOST_AUTO_TEST_CASE(options_may_not_hide_what_is_varied) {
  refused("sweep: {seeds: [1]}", {0, 1}, "seed", "--set sweep.seeds", {"seed=3"});
  refused("sweep: {grid: {stages.a.b: [1]}}", {0, 1}, "stages.a.b", "varies", {"stages.a.b=3"});
  refused("sweep: {grid: {stages.a.b: [1]}}", {0, 1}, "stages.a", "varies", {"stages.a={}"});
}

BOOST_AUTO_TEST_CASE(values_replace_what_is_there_and_options_come_last) {
  const auto source = source_of(
      "seed: 1\nstages:\n  a: {stage: select, scored: s, policy: {name: reward-gap, eta: 0.8}}\n"
      "sweep:\n  seeds: [2]\n  list:\n    one: {stages.a.policy: best-vs-worst, stages.a.max_pairs: 5}\n",
      {"stages.a.max_pairs=7"});
  std::vector<Problem> problems;
  const auto sweep = plumb::read_sweep(source, problems);
  const plumb::Value root = plumb::tree_of(source, sweep->arms.at(0), problems);
  BOOST_TEST(problems.empty());
  BOOST_TEST(root.at("seed").as_int() == 2);
  const plumb::Value& stage = root.at("stages").at("a");
  BOOST_TEST(stage.at("policy").as_string() == "best-vs-worst");
  BOOST_TEST((stage.at("policy").mark == Mark{7, 28}));
  BOOST_TEST(stage.at("max_pairs").as_int() == 7);
  BOOST_TEST(source.root.at("seed").as_int() == 1);
}

BOOST_AUTO_TEST_SUITE_END()
