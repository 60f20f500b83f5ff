#include "framework/core/recipe/base.h"

#include <boost/test/unit_test.hpp>

#include "framework/core/artifacts/disk.h"
#include "framework/core/artifacts/test_folder.h"
#include "framework/core/recipe/recipe.h"
#include "framework/core/recipe/yaml.h"

using plumb::Mark;
using plumb::Problem;
using plumb::Value;

namespace {

std::string after(const std::string& base, const std::string& own) {
  return plumb::to_json(plumb::merged(plumb::parse_yaml(base).value, plumb::parse_yaml(own).value));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(recipe_base)

BOOST_AUTO_TEST_CASE(maps_are_merged_and_the_rest_is_replaced) {
  BOOST_TEST(after("a: {x: 1, y: [1, 2]}\nb: 3", "a: {y: [3], z: 4}") == R"({"a":{"x":1,"y":[3],"z":4},"b":3})");
  BOOST_TEST(after("a: {x: 1, y: 2}", "a: {x: null}") == R"({"a":{"y":2}})");
  BOOST_TEST(after("a: 1", "b: null") == R"({"a":1,"b":null})");
}

BOOST_AUTO_TEST_CASE(what_names_itself_anew_replaces_the_old_as_a_whole) {
  BOOST_TEST(after("p: {name: gap, eta: 0.8}", "p: {name: worst}") == R"({"p":{"name":"worst"}})");
  BOOST_TEST(after("p: {name: gap, eta: 0.8}", "p: {name: gap, tau: 2}") ==
             R"({"p":{"name":"gap","eta":0.8,"tau":2}})");
  BOOST_TEST(after("p: {name: gap, eta: 0.8}", "p: worst") == R"({"p":"worst"})");
  BOOST_TEST(after("p: gap", "p: {eta: 0.9}") == R"({"p":{"name":"gap","eta":0.9}})");
  BOOST_TEST(after("s: {stage: sft, rate: 1}", "s: {stage: train, model: m}") ==
             R"({"s":{"stage":"train","model":"m"}})");
}

BOOST_AUTO_TEST_CASE(marks_tell_the_file_that_a_value_stands_in) {
  const plumb::test::Folder folder;
  std::filesystem::create_directory(folder.path() / "sub");
  plumb::write_file(folder.path() / "base.yaml", "name: base\nseed: 7\nmodels:\n  m: {path: there}\n").value();
  plumb::write_file(folder.path() / "sub" / "own.yaml", "name: own\nbase: ../base.yaml\nmodels:\n  n: {path: here}\n")
      .value();
  const auto source =
      plumb::read_recipe({.file = folder.path() / "sub" / "own.yaml", .overrides = {"seed=9"}, .plugins = {}});
  BOOST_TEST(source.problems.empty());
  BOOST_TEST(source.root.at("name").as_string() == "own");
  BOOST_TEST(source.root.at("seed").as_int() == 9);
  const Value& base_path = source.root.at("models").at("m").at("path");
  const auto place = source.text.place(base_path.mark);
  BOOST_TEST(std::filesystem::equivalent(std::string(place.file), folder.path() / "base.yaml"));
  BOOST_TEST((place.mark == Mark{4, 13}));
  BOOST_TEST(source.folder(base_path.mark) == folder.path());
  BOOST_TEST(source.folder(source.root.at("models").at("n").at("path").mark) == folder.path() / "sub");
  BOOST_TEST(source.folder({0, 1}) == folder.path() / "sub");
}

BOOST_AUTO_TEST_CASE(problems_in_a_base_are_shown_in_its_text) {
  const plumb::test::Folder folder;
  plumb::write_file(folder.path() / "base.yaml", "name: base\nseed: 010\n").value();
  plumb::write_file(folder.path() / "own.yaml", "name: own\nbase: base.yaml\nseed: 1\n").value();
  const auto source = plumb::read_recipe({.file = folder.path() / "own.yaml", .overrides = {}, .plugins = {}});
  BOOST_REQUIRE_EQUAL(source.problems.size(), 1U);
  const std::string shown = plumb::show_problems(source.problems, source.text);
  BOOST_TEST(shown.starts_with((folder.path() / "base.yaml").string() + ":2:7: '010'"), shown);
  BOOST_TEST(shown.find("    2 | seed: 010\n      |       ^\n") != std::string::npos, shown);
  const Value described = plumb::describe_problems(source.problems, source.text);
  BOOST_TEST(described.as_list()[0].at("line").as_int() == 2);
}

BOOST_AUTO_TEST_CASE(a_base_must_exist_and_end) {
  const plumb::test::Folder folder;
  const auto problem = [&](const char* text) {
    plumb::write_file(folder.path() / "own.yaml", text).value();
    const auto source = plumb::read_recipe({.file = folder.path() / "own.yaml", .overrides = {}, .plugins = {}});
    BOOST_REQUIRE_EQUAL(source.problems.size(), 1U);
    return source.problems[0];
  };
  BOOST_TEST((problem("name: own\nbase: absent.yaml\n").mark == Mark{2, 7}));
  BOOST_TEST(problem("name: own\nbase: absent.yaml\n").message.find("no such file: ") == 0U);
  BOOST_TEST(problem("name: own\nbase: own.yaml\n").message.find("based on itself") != std::string::npos);
  plumb::write_file(folder.path() / "empty.yaml", "").value();
  BOOST_TEST(problem("name: own\nbase: empty.yaml\n").message.find("found nothing") == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
