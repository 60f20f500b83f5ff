// What the command says about plugins, and how it starts and ends.
#include <chrono>
#include <cstdlib>

#include "plumb/value.h"
#include "tests/plugins/plumb_command.h"

using namespace plumb;
using namespace plumb::test;
namespace fs = std::filesystem;

BOOST_AUTO_TEST_SUITE(command)

BOOST_AUTO_TEST_CASE(lists_every_candidate_with_its_reason) {
  const Outcome listed =
      plumb_command("plugins list" + plugin_option("good/test-gap") + plugin_option("broken/test-wrong-sdk"));
  BOOST_TEST(listed.status == 0);
  BOOST_TEST(has(listed.out, "test.gap 1.2.3  pairs by their reward gap\n  " + kPlugins.string()));
  BOOST_TEST(has(listed.out, "org.plumbline.sft 1.0.0  stable: supervised fine-tuning on demonstrations\n"));
  BOOST_TEST(has(listed.out, "selection-policy  gap "));
  BOOST_TEST(has(listed.out, "test-wrong-sdk.plumb.so\n  REFUSED: sdk: found 9, wanted 2\n"));
  BOOST_TEST(!has(listed.out, "idle"));  // a refused plugin provides nothing
}

BOOST_AUTO_TEST_CASE(lists_as_json) {
  const Outcome listed =
      plumb_command("plugins list --json" + plugin_option("good/test-gap") + plugin_option("broken/test-wrong-sdk"));
  BOOST_TEST(listed.status == 0);
  const Value all = parse_json(listed.out);
  const Value& gap = all.as_list().at(0);
  BOOST_TEST(gap.at("id").as_string() == "test.gap");
  BOOST_TEST(gap.at("used").as_bool());
  BOOST_TEST(gap.at("sha256").as_string() == inspect_plugin(gap.at("file").as_string()).sha256());
  BOOST_TEST(gap.at("components").as_list().at(0).at("name").as_string() == "gap");
  BOOST_TEST(all.as_list().at(1).at("refused").as_string() == "sdk: found 9, wanted 2");
}

BOOST_AUTO_TEST_CASE(shows_parameters) {
  const Outcome shown = plumb_command("plugins show gap" + plugin_option("good/test-gap"));
  BOOST_TEST(shown.status == 0);
  BOOST_TEST(has(shown.out, "selection-policy gap: keep pairs whose reward gap is larger than a number\n"));
  BOOST_TEST(has(shown.out, "yields pairs"));
  BOOST_TEST(has(shown.out, "above = 0.5    real ≥ 0 [reward]\n        the largest gap that is dropped\n"));
  const Value json = parse_json(plumb_command("plugins show test.gap:gap --json" + plugin_option("good/test-gap")).out);
  BOOST_TEST(json.as_list().at(0).at("params").as_list().at(0).at("default").as_double() == 0.5);
}

BOOST_AUTO_TEST_CASE(a_removed_plugin_is_gone) {
  const Folder folder;
  const fs::path file = copy_plugin("good/test-gap", folder.path());
  const Environment path("PLUMB_PLUGIN_PATH", folder.path().string());
  BOOST_TEST(has(plumb_command("plugins list").out, file.string()));
  fs::remove(file);
  BOOST_TEST(!has(plumb_command("plugins list").out, "test.gap"));
  const Outcome shown = plumb_command("plugins show gap");
  BOOST_TEST(shown.status == 2);
  BOOST_TEST(has(shown.err, "plumb: no plugin or component is called `gap`"));
}

BOOST_AUTO_TEST_CASE(a_refused_plugin_says_why_when_asked_for) {
  const Outcome shown = plumb_command("plugins show idle" + plugin_option("broken/test-wrong-sdk"));
  BOOST_TEST(shown.status == 5);
  BOOST_TEST(has(shown.err, "is refused: sdk: found 9, wanted 2"));
}

BOOST_AUTO_TEST_CASE(misuse_is_exit_two_with_the_nearest_word) {
  const auto misuse = [](const std::string& arguments) {
    const Outcome outcome = plumb_command(arguments);
    BOOST_TEST(outcome.status == 2, arguments);
    BOOST_TEST(outcome.out == "", arguments);
    return outcome.err;
  };
  BOOST_TEST(has(misuse(""), "usage: plumb VERB"));
  BOOST_TEST(misuse("plugns") == "plumb: there is no verb `plugns`; did you mean `plugins`?\n");
  BOOST_TEST(has(misuse("plugins"), "usage: plumb plugins list"));
  BOOST_TEST(has(misuse("plugins lst"), "usage: plumb plugins list"));
  BOOST_TEST(has(misuse("plugins list --jsn"), "unknown option `--jsn`; did you mean `--json`?"));
  BOOST_TEST(has(misuse("plugins list more"), "too many arguments; usage: plumb plugins list"));
  BOOST_TEST(has(misuse("plugins show"), "an argument is missing; usage: plumb plugins show NAME"));
  BOOST_TEST(has(misuse("plugins list --plugin"), "see `plumb plugins list --help`"));
}

BOOST_AUTO_TEST_CASE(lost_output_is_an_error) {
  BOOST_TEST(WEXITSTATUS(std::system(PLUMB_COMMAND " --help >/dev/full 2>/dev/null")) == 4);
}

BOOST_AUTO_TEST_CASE(help_is_quick) {
  auto best = std::chrono::milliseconds::max();
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    BOOST_REQUIRE_EQUAL(std::system(PLUMB_COMMAND " --help >/dev/null"), 0);
    const auto took = std::chrono::steady_clock::now() - start;
    best = std::min(best, std::chrono::duration_cast<std::chrono::milliseconds>(took));
  }
  BOOST_TEST(best.count() <= 100);
  const Outcome version = plumb_command("--version");
  BOOST_TEST(has(version.out, "plumb 0."));
  BOOST_TEST(has(version.out, "sdk=2 "));
}

BOOST_AUTO_TEST_SUITE_END()
