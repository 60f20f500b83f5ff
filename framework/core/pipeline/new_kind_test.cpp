// A stage kind is one file: this one has parameters, a rule, a body and its registration, and a recipe runs it.
#include <boost/test/unit_test.hpp>

#include "framework/core/artifacts/disk.h"
#include "framework/core/artifacts/records_file.h"
#include "framework/core/artifacts/test_folder.h"
#include "framework/core/catalogue/declared.h"
#include "framework/core/pipeline/run.h"

namespace plumb {
namespace {

struct CountSettings {
  std::int64_t from = 1, to = 3;
  std::optional<std::string> after;
};

Declared<CountSettings> declare_count() {
  Declared<CountSettings> d{"numbers in their order"};
  d.params.add(&CountSettings::from, "from", "the first");
  d.params.add(&CountSettings::to, "to", "the last");
  d.params.add(&CountSettings::after, "after", "go on behind these").accepts({artifact_type::metrics});
  d.rule([](const CountSettings& s) { return s.to < s.from ? "to: below the first" : ""; });
  return d;
}

void run(StageContext& context) {
  const CountSettings settings = declare_count().with_rules().parse(context.params());
  RowWriter rows(context.folder() / "numbers.jsonl");
  if (const Artifact* before = context.optional_input("after")) {
    for_each_row(before->folder / "numbers.jsonl", [&](const Value& row, const std::string&) -> Result<void> {
      rows.write(row);
      return {};
    }).value();
  }
  for (std::int64_t i = settings.from; i <= settings.to; ++i) rows.write(Value::map({{"n", i}}));
  rows.flush();
  context.summarise("last", settings.to);
}

StageKind make_kind() {
  StageKind kind = declare_count().kind("test_count", artifact_type::metrics);
  kind.body = run;
  return kind;
}

const KindRegistration registered(125, make_kind);

LoadedRecipe load(const test::Folder& folder, const std::string& stages) {
  write_file(folder / "recipe.yaml", "name: counting\nstages:\n" + stages).value();
  return load_recipe({.file = folder / "recipe.yaml"});
}

}  // namespace

BOOST_AUTO_TEST_SUITE(new_kind)

BOOST_AUTO_TEST_CASE(a_kind_of_one_file_is_checked_planned_and_run) {
  const test::Folder folder;
  const LoadedRecipe loaded = load(folder,
                                   "  one: {stage: test_count, to: 2}\n"
                                   "  two: {stage: test_count, from: 7, to: 8, after: one}\n");
  BOOST_REQUIRE_MESSAGE(loaded.problems.empty(), show_problems(loaded.problems, loaded.source.text));
  const RunResult result = run_recipe(loaded.recipe, loaded.source.text.text, loaded.registry,
                                      {.runs = folder / "runs", .form = Progress::Form::quiet});
  BOOST_TEST(result.ran == 2U);
  BOOST_TEST(read_file(folder / "runs" / "counting" / "two" / "numbers.jsonl").value() ==
             "{\"n\":1}\n{\"n\":2}\n{\"n\":7}\n{\"n\":8}\n");
}

BOOST_AUTO_TEST_CASE(its_rules_and_types_are_checked_with_the_recipe) {
  const test::Folder folder;
  const LoadedRecipe loaded =
      load(folder, "  one: {stage: test_count, from: 5, to: 2}\n  two: {stage: test_count, after: none}\n");
  const std::string said = show_problems(loaded.problems, loaded.source.text);
  BOOST_TEST(said.find("below the first") != std::string::npos, said);
  BOOST_TEST(said.find("no dataset, model or stage is named `none`") != std::string::npos, said);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace plumb
