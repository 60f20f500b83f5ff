// A stage that a plugin provides, in a recipe: by its name, checked, planned, run, killed and taken up again.
#include "plumb/value.h"
#include "tests/plugins/plumb_command.h"

using namespace plumb;
using namespace plumb::test;
namespace fs = std::filesystem;

namespace {

struct Recipe {
  explicit Recipe(const std::string& shout = "{stage: shout, prompts: asks}") {
    write(
        folder / "recipe.yaml",
        "name: shouting\ndatasets:\n  asks: {source: {name: requests, records: prompts, count: 6}}\nstages:\n  loud: " +
            shout + "\n  louder: {stage: shout, prompts: loud, marks: 2}\n");
  }
  [[nodiscard]] Outcome plumb(const std::string& verb, const std::string& options = "") const {
    const std::string runs = verb == "validate" ? "" : " --runs " + (folder / "runs").string();
    return plumb_command(verb + " " + (folder / "recipe.yaml").string() + plugin_option("stages/test-shout") + runs +
                         options);
  }
  [[nodiscard]] std::string rows(const std::string& stage) const {
    return content(folder / "runs" / "shouting" / stage / "prompts.jsonl");
  }
  Folder folder;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(plugin_stage)

BOOST_AUTO_TEST_CASE(a_recipe_runs_it_by_its_name) {
  const Recipe recipe;
  const Outcome ran = recipe.plumb("run", " --quiet");
  BOOST_REQUIRE_MESSAGE(ran.status == 0, ran.err);
  const std::string rows = recipe.rows("louder");
  BOOST_TEST(std::count(rows.begin(), rows.end(), '\n') == 6);
  std::string first = content(recipe.folder / "runs/shouting/asks/prompts.jsonl");
  first.resize(first.find('\n'));
  std::string wanted = parse_json(first).at("prompt").as_list().back().at("content").as_string();
  for (char& c : wanted) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  const Value row = parse_json(rows.substr(0, rows.find('\n')));
  BOOST_TEST(row.at("prompt").as_list().back().at("content").as_string() == wanted + "!!!");
  const Value manifest = parse_json(content(recipe.folder / "runs/shouting/loud/artifact.json"));
  BOOST_TEST(manifest.at("stage_kind").as_string() == "shout");
  BOOST_TEST(manifest.at("summary").at("shouted").as_int() == 6);
  BOOST_TEST(has(content(recipe.folder / "runs/shouting/recipe.lock.yaml"), "test.shout"));
}

// What tells rows apart is what their type says, not a column that is called `id`.
BOOST_AUTO_TEST_CASE(its_rows_may_have_columns_of_any_name) {
  const Environment column("TEST_SHOUT_COLUMN", "id");
  const Recipe recipe;
  const Outcome ran = recipe.plumb("run", " --quiet");
  BOOST_REQUIRE_MESSAGE(ran.status == 0, ran.err);
  const std::string rows = recipe.rows("louder");
  BOOST_TEST(std::count(rows.begin(), rows.end(), '\n') == 6);
  BOOST_TEST(has(rows, "\"id\":\"the same\""), rows);
}

BOOST_AUTO_TEST_CASE(the_file_of_the_plugin_is_part_of_the_key) {
  const Recipe recipe;
  const auto keys = [&](const std::string& plugin) {
    const Outcome plan =
        plumb_command("plan " + (recipe.folder / "recipe.yaml").string() + " --json --plugin " + plugin);
    BOOST_REQUIRE_MESSAGE(plan.status == 0, plan.err);
    std::vector<std::string> out;
    const Value planned = parse_json(plan.out);
    for (const Value& stage : planned.at("stages").as_list()) out.push_back(stage.at("key").as_string());
    return out;
  };
  const fs::path other = copy_plugin("stages/test-shout", recipe.folder / "other");
  const auto before = keys(other.string());
  std::ofstream(other, std::ios::app) << "x";
  const auto after = keys(other.string());
  BOOST_TEST(before[0] == after[0]);  // the dataset
  BOOST_TEST(before[1] != after[1]);
  BOOST_TEST(before[2] != after[2]);
}

BOOST_AUTO_TEST_CASE(killed_it_goes_on_to_the_same_bytes) {
  const Recipe whole, killed;
  BOOST_TEST(whole.plumb("run", " --quiet").status == 0);
  {
    const Environment dies("TEST_SHOUT_DIES", "4");
    BOOST_TEST(killed.plumb("run", " --quiet").status != 0);
  }
  BOOST_TEST(!fs::exists(killed.folder / "runs/shouting/loud/artifact.json"));
  const Outcome resumed = killed.plumb("run");
  BOOST_TEST(resumed.status == 0);
  BOOST_TEST(has(resumed.out + resumed.err, "loud: 4 rows were written before"), resumed.out << resumed.err);
  for (const char* stage : {"loud", "louder"}) BOOST_TEST(killed.rows(stage) == whole.rows(stage));
}

BOOST_AUTO_TEST_CASE(its_parameters_types_and_rules_are_checked_before_anything_runs) {
  const auto refused = [](const std::string& entry, const std::string& why) {
    const Recipe recipe(entry);
    const Outcome out = recipe.plumb("validate");
    BOOST_TEST(out.status == 2, entry);
    BOOST_TEST(has(out.err, why), out.err);
  };
  refused("{stage: shout, prompts: asks, marks: 10}", "stages.loud.marks");
  refused("{stage: shout, prompts: asks, mark: 1}", "stages.loud.mark: unknown key");
  refused("{stage: shout}", "stages.loud.prompts");
  refused("{stage: shout, prompts: asks, marks: 4}", "four are unlucky");
  refused("{stage: shout, prompts: asks, isolation: process}", "a stage runs in the process of the run");
  refused("{stage: shoot, prompts: asks}", "no stage kind `shoot`");
  refused("{stage: shoot, prompts: asks}", "shout");
  refused("{stage: report, of: [asks], title: a}", "`loud` is of type report, wanted prompts");
}

BOOST_AUTO_TEST_CASE(the_plan_foretells_what_it_says) {
  const Outcome plan = Recipe().plumb("plan", " --json");
  BOOST_REQUIRE_MESSAGE(plan.status == 0, plan.err);
  const Value planned = parse_json(plan.out);
  const Value& loud = planned.at("stages").as_list().at(1);
  BOOST_TEST(loud.at("estimate").at("disk_bytes").as_int() == 600);
  BOOST_TEST(loud.at("estimate").at("seconds").as_double() == 12.5);
  const Value closed = parse_json(Recipe().plumb("plan", " --json --no-code").out);
  BOOST_TEST(closed.at("stages").as_list().at(1).at("estimate").at("disk_bytes").is_null());
}

BOOST_AUTO_TEST_CASE(a_report_shows_its_summary) {
  const Recipe recipe;
  write(recipe.folder / "recipe.yaml",
        content(recipe.folder / "recipe.yaml") + "  page: {stage: report, of: [louder]}\n");
  BOOST_TEST(recipe.plumb("run", " --quiet").status == 0);
  const std::string page = content(recipe.folder / "runs/shouting/page/report.md");
  BOOST_TEST(has(page, "## louder"), page);
  BOOST_TEST(has(page, "shouted"), page);
}

BOOST_AUTO_TEST_SUITE_END()
