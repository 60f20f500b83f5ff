// `plumb stats` on hand-made files whose numbers are worked out here, and on the published ones where they are at hand.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <iostream>

#include "plumb/value.h"
#include "tests/commands/command.h"

namespace {

using namespace plumb;
using namespace plumb::test;
namespace fs = std::filesystem;

const fs::path files = fs::path(PLUMB_SOURCE_DIR) / "tests" / "commands" / "files";
constexpr auto kExact = 1e-12;

Value stats(const std::string& benchmark, const fs::path& file) {
  const Outcome out = plumb_command({"stats", benchmark, file.string(), "--json"});
  BOOST_REQUIRE_MESSAGE(out.status == 0, out.errors);
  return parse_json(out.text, "standard output");
}

// A file of the shared data, or empty with a note when it is not there.
fs::path shared_file(const std::string& name) {
  const char* given = std::getenv("PLUMB_SHARED");
  const fs::path file = fs::path(given != nullptr ? given : PLUMB_SOURCE_DIR "/../shared") / "data" / name;
  if (fs::exists(file)) return file;
  std::cout << "skipped: " << file << " is not there (set PLUMB_SHARED)\n";
  return {};
}

void require_equal(const Value& found, double wanted) {
  BOOST_TEST(found.as_double() == wanted, boost::test_tools::tolerance(kExact));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(stats_of_benchmarks)

BOOST_AUTO_TEST_CASE(alpaca_eval_by_hand) {
  // Wins 1, 0, 0.75, 0.5, 0.5: mean 0.55; squared deviations 0.2025 + 0.3025 + 0.04 + 0.0025 + 0.0025 = 0.55.
  const Value found = stats("alpaca-eval", files / "annotations.json");
  require_equal(found.at("win_rate"), 55);
  require_equal(found.at("standard_error"), 100 * std::sqrt(0.55 / 4 / 5));
  BOOST_TEST(found.at("n_total").as_int() == 5);
  BOOST_TEST(found.as_map().size() == 3U);
}

BOOST_AUTO_TEST_CASE(mt_bench_by_hand) {
  // The second judgment of question 81, turn 1 by gpt-4 counts (7, not 3); the other judge's 4 is one more.
  const Value found = stats("mt-bench", files / "judgments.jsonl");
  const Value& first = found.at("models").at("first");
  require_equal(first.at("turn_1"), (7 + 8 + 9 + 4) / 4.0);
  require_equal(first.at("turn_2"), 5);
  require_equal(first.at("average"), (7 + 8 + 9 + 4 + 5) / 5.0);
  BOOST_TEST(first.at("failed").as_int() == 1);
  const Value& second = found.at("models").at("second");
  require_equal(second.at("average"), 6.5);
  BOOST_TEST(second.at("turn_2").is_null());
  BOOST_TEST(second.at("failed").as_int() == 0);
}

BOOST_AUTO_TEST_CASE(alpaca_eval_as_its_leaderboard_has_it) {
  const fs::path board = shared_file("alpaca-eval/alpaca_eval_gpt4_leaderboard.csv");
  if (board.empty()) return;
  std::istringstream lines(read_file(board).value());
  int seen = 0;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string model, win_rate, error, wins, losses, draws, total;
    for (std::string* field : {&model, &win_rate, &error, &wins, &losses, &draws, &total}) {
      std::getline(fields, *field, ',');
    }
    const fs::path file = board.parent_path() / model / "alpaca_eval_gpt4" / "annotations.json";
    if (model.empty() || !fs::exists(file)) continue;
    ++seen;
    const Value found = stats("alpaca-eval", file);
    require_equal(found.at("win_rate"), std::stod(win_rate));
    BOOST_TEST(found.at("standard_error").as_double() == std::stod(error), boost::test_tools::tolerance(1e-10));
    BOOST_TEST(found.at("n_total").as_int() == std::stoi(total));
  }
  BOOST_TEST(seen == 2);
}

BOOST_AUTO_TEST_CASE(mt_bench_counts_repeated_judgments_once) {
  const fs::path file = shared_file("mt-bench/model_judgment/gpt-4_single.jsonl");
  if (file.empty()) return;
  // Means over the last judgment of each question and turn, taken with a few lines of Python.
  const Value found = stats("mt-bench", file).at("models");
  require_equal(found.at("mistral-orpo").at("average"), 6.328125);
  require_equal(found.at("mistral-orpo").at("turn_1"), 6.99375);
  require_equal(found.at("mistral-orpo-trl").at("turn_2"), 6.6);
}

BOOST_AUTO_TEST_CASE(a_table_is_printed_without_json) {
  const Outcome alpaca = plumb_command({"stats", "alpaca-eval", (files / "annotations.json").string()});
  BOOST_TEST(alpaca.text ==
             "candidate against reference\n"
             "  win rate        55.00 %, standard error 16.58\n"
             "  of 5            wins 2, losses 1, draws 2\n"
             "  not counted     1 without a preference\n");
  const Outcome bench = plumb_command({"stats", "mt-bench", (files / "judgments.jsonl").string()});
  BOOST_TEST(bench.text ==
             "model   average  turn 1  turn 2  failed\n"
             "first      6.60    7.00    5.00       1\n"
             "second     6.50    6.50       -       0\n");
}

BOOST_AUTO_TEST_CASE(bad_files_and_words_are_refused) {
  const auto require_refused = [](const std::vector<std::string>& arguments, int status, const std::string& part) {
    const Outcome out = plumb_command(arguments);
    BOOST_TEST(out.status == status);
    BOOST_TEST(out.errors.find(part) != std::string::npos, out.errors);
  };
  require_refused({"stats", "alpaca-eval", "/no/such.json"}, 4, "/no/such.json: there is no such file");
  require_refused({"stats", "mt-bench", (files / "annotations.json").string()}, 4,
                  "annotations.json:2:3: no \"question_id\"");
  require_refused({"stats", "elo", (files / "annotations.json").string()}, 2, "no benchmark `elo`");
  const Folder folder;
  write_file(folder / "two.json", R"([{"instruction": "a", "generator_1": "r", "generator_2": "x", "preference": 1},
                                      {"instruction": "b", "generator_1": "r", "generator_2": "y", "preference": 2}])")
      .value();
  require_refused({"stats", "alpaca-eval", (folder / "two.json").string()}, 4, "one model against one reference");
}

BOOST_AUTO_TEST_SUITE_END()
