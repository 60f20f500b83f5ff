// A whole run judged by openai-judge: the command, its artifacts, its record, its report and its cache.
#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include "running_server.h"

namespace fs = std::filesystem;
using plumb::test::canary;
using plumb::test::Door;
using plumb::test::server;
using plumb::test::test_folder;
using plumb::test::whole;

namespace {

// The lab's recipe in a folder of its own, with one evaluation whose judge is the server.
fs::path write_recipe(const std::string& key_from, const std::string& cache = "cache") {
  const fs::path folder = test_folder() / "recipe";
  fs::create_directories(folder);
  fs::copy(fs::path(PLUMB_SOURCE_DIR) / "recipes" / "lab" / "judged", folder / "judged",
           fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  std::string text = whole(fs::path(PLUMB_SOURCE_DIR) / "recipes" / "lab" / "judged.yaml");
  text.resize(text.find("  # The stage's reward model is the judge"));
  text +=
      "  asked:\n    stage: evaluate\n    models: [sft]\n    prompts: questions\n    evaluators: [mt-bench]\n    "
      "max_new_tokens: 8\n"
      "    judge: {name: openai-judge, model: tester, cache: " +
      cache + ", key_from: " + key_from + ", ca_file: ../server/ca.pem, url: '" + server().url(Door::good) +
      "'}\n  report: {stage: report, of: [asked]}\n";
  std::ofstream(folder / "asked.yaml") << text;
  return folder / "asked.yaml";
}

int run(const fs::path& recipe, const std::string& runs) {
  const fs::path said = test_folder() / "said.txt";
  const std::string command = std::string("'") + PLUMB_COMMAND + "' run '" + recipe.string() + "' --runs '" +
                              (test_folder() / runs).string() + "' >'" + said.string() + "' 2>&1";
  return WEXITSTATUS(std::system(command.c_str()));
}

void find_no_key() {
  for (const auto& entry : fs::recursive_directory_iterator(test_folder())) {
    if (entry.is_regular_file()) BOOST_TEST(whole(entry.path()).find("CANARY") == std::string::npos, entry.path());
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(recipe)

BOOST_AUTO_TEST_CASE(a_run_is_judged_paid_once_and_holds_no_key) {
  ::setenv("PLUMB_TEST_JUDGE_KEY", canary.c_str(), 1);
  const fs::path recipe = write_recipe("PLUMB_TEST_JUDGE_KEY");
  const auto& board = server().board();
  const unsigned before = board.total_answered;
  const int status = run(recipe, "runs");
  const std::string said = whole(test_folder() / "said.txt");
  BOOST_TEST(status == 0, said);
  BOOST_TEST(said.find("mt-bench score") != std::string::npos, said);
  BOOST_TEST(said.find("no judgement failed") != std::string::npos, said);
  const std::string page = whole(test_folder() / "runs" / "judged" / "report" / "report.md");
  BOOST_TEST(page.find("judge tokens read") != std::string::npos, page);
  const unsigned paid = board.total_answered - before;
  BOOST_TEST(paid > 8U);  // sixteen turns; equal answers of the tiny model make equal requests
  BOOST_TEST(paid <= 16U);
  find_no_key();

  BOOST_TEST(run(recipe, "another") == 0);  // from nothing, as somebody else's run would be
  BOOST_TEST(board.total_answered - before == paid);
}

BOOST_AUTO_TEST_CASE(in_processes_of_its_own_it_judges_the_same_pays_once_and_holds_no_key) {
  ::setenv("PLUMB_TEST_JUDGE_KEY", canary.c_str(), 1);
  const auto& board = server().board();
  const auto judged = [&](const std::string& cache, const std::string& runs) {
    const unsigned before = board.total_answered;
    const int status = run(write_recipe("PLUMB_TEST_JUDGE_KEY", cache), runs);
    BOOST_TEST(status == 0, whole(test_folder() / "said.txt"));
    const unsigned paid = board.total_answered - before;
    BOOST_TEST(paid > 8U);
    BOOST_TEST(paid <= 16U);
    return whole(test_folder() / runs / "judged" / "asked" / "metrics.json");
  };
  const std::string here = judged("here", "here"), there = judged("there, isolation: process", "there");
  BOOST_TEST(here == there);
  find_no_key();
}

BOOST_AUTO_TEST_CASE(a_key_that_the_server_refuses_ends_the_run_and_is_not_shown) {
  const std::string wrong = "sk-CANARY-of-another-kind";
  ::setenv("PLUMB_TEST_WRONG_KEY", wrong.c_str(), 1);
  const fs::path recipe = write_recipe("PLUMB_TEST_WRONG_KEY");
  fs::remove_all(recipe.parent_path() / "cache");
  const unsigned refused = server().board().wrong_key;
  BOOST_TEST(run(recipe, "runs") == 1);
  const std::string said = whole(test_folder() / "said.txt");
  BOOST_TEST(said.find("the server refuses every request: status 401") != std::string::npos, said);
  BOOST_TEST(server().board().wrong_key - refused <= 8U);  // those under way when the first was refused
  find_no_key();
  server().board().wrong_key = 0;
}

BOOST_AUTO_TEST_SUITE_END()
