#include <boost/test/unit_test.hpp>
#include <set>

#include "framework/core/artifacts/records_file.h"
#include "framework/core/kinds/test_stage.h"

namespace plumb {
namespace {

using test::TestStage;

// 20 preferences of `a` and 10 of `b`, whose ids are the same.
std::vector<Preference> mixed(const Value& more, std::uint64_t seed, TestStage* out = nullptr) {
  Value params = Value::map({{"data", Value::list({"a", "b"})}});
  for (const auto& [key, value] : more.as_map()) params.set(key, value);
  TestStage own(params);
  TestStage& stage = out == nullptr ? own : *out;
  stage.seed_ = seed;
  for (const auto& [name, count] : {std::pair{"a", 20}, std::pair{"b", 10}}) {
    RowWriter rows(stage.add_input("data", name, artifact_type::preferences) / "preferences.jsonl");
    for (int i = 0; i < count; ++i) {
      const std::string id = std::to_string(i);
      rows.write(to_value(Preference{id, {"q" + id, {{"user", id}}, {}}, "good", "bad", {}, {}, {}}));
    }
  }
  run_stage("mix", stage);
  return read_preferences(stage.folder() / "preferences.jsonl").value();
}

std::vector<std::string> ids(const std::vector<Preference>& rows) {
  std::vector<std::string> out;
  for (const Preference& row : rows) out.push_back(row.id);
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(mix_stage)

BOOST_AUTO_TEST_CASE(all_rows_once_with_their_source_in_an_order_of_the_seed) {
  const auto rows = mixed(Value::map(), 1);
  BOOST_TEST(rows.size() == 30U);
  std::set<std::string> names, prompts;
  for (const Preference& row : rows) {
    names.insert(row.id);
    prompts.insert(row.prompt.id);
    const std::string source = row.prompt.extra.at("source").as_string();
    BOOST_TEST(row.id == source + "/" + row.prompt.messages[0].content);
    BOOST_TEST(row.prompt.id.starts_with(source + "/q"));
  }
  BOOST_TEST((names.size() == 30U && prompts.size() == 30U));
  BOOST_TEST(ids(rows) == ids(mixed(Value::map(), 1)), boost::test_tools::per_element());
  BOOST_TEST((ids(rows) != ids(mixed(Value::map(), 2))));
}

BOOST_AUTO_TEST_CASE(weights_take_a_part_of_a_source_and_what_is_left_is_counted) {
  const Value params =
      Value::map({{"data", Value::list({"a", "b"})}, {"weights", Value::map({{"a", 0.25}})}, {"limit", 12}});
  TestStage stage(params);
  const auto rows = mixed(params, 1, &stage);
  BOOST_TEST(rows.size() == 12U);
  const Value& by_source = stage.summary.at("by_source");
  BOOST_TEST(by_source.at("a").as_int() + by_source.at("b").as_int() == 12);
  BOOST_TEST(by_source.at("a").as_int() <= 5);
  const std::vector<std::string> wanted{"left out 15 of 20 rows of a: its weight is 0.25",
                                        "left out 3 of 15 rows: limit 12"};
  BOOST_TEST(stage.accounted.lines() == wanted, boost::test_tools::per_element());
  // Which rows of a source are taken does not depend on the others.
  const auto part = [](double weight_of_b) {
    std::set<std::string> out;
    for (const auto& id : ids(mixed(Value::map({{"weights", Value::map({{"a", 0.25}, {"b", weight_of_b}})}}), 1))) {
      if (id.starts_with("a/")) out.insert(id);
    }
    return out;
  };
  BOOST_TEST(part(1).size() == 5U);
  BOOST_TEST((part(1) == part(0.1)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace plumb
