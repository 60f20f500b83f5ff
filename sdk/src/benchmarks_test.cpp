#include "plumb/benchmarks.h"

#include <zlib.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "plumb/error.h"

namespace {

std::string shared(const std::string& name) {
  const char* from = std::getenv("PLUMB_SHARED");
  return (from != nullptr ? std::string(from) : std::string("../shared")) + "/data/" + name;
}

bool present(const std::string& file) {
  if (std::filesystem::exists(file)) return true;
  BOOST_TEST_MESSAGE("skipped: " << file << " is not here");
  return false;
}

std::string written(const std::string& name, const std::string& text) {
  const std::string file = (std::filesystem::temp_directory_path() / name).string();
  std::ofstream(file) << text;
  return file;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(benchmarks)

// The leaderboard alpaca_eval publishes beside its annotations.
BOOST_AUTO_TEST_CASE(alpaca_eval_equals_the_published_leaderboard) {
  struct Published {
    const char* model;
    double win_rate, standard_error;
    std::size_t wins, wins_base, draws;
  };
  for (const Published& p : {Published{"llama-2-7b-chat-hf", 71.36645962732919, 1.593038654706019, 574, 230, 1},
                             Published{"alpaca-7b", 26.459627329192543, 1.535711469748, 205, 584, 16}}) {
    const std::string file = shared(std::string("alpaca-eval/") + p.model + "/alpaca_eval_gpt4/annotations.json");
    if (!present(file)) return;
    const auto result = plumb::alpaca_eval_win_rate(plumb::read_alpaca_annotations(file));
    BOOST_TEST(result.rate.mean == p.win_rate, boost::test_tools::tolerance(1e-12));
    BOOST_TEST(result.rate.standard_error == p.standard_error, boost::test_tools::tolerance(1e-10));
    BOOST_TEST(result.wins == p.wins);
    BOOST_TEST(result.wins_base == p.wins_base);
    BOOST_TEST(result.draws == p.draws);
    BOOST_TEST(result.rate.count == 805U);
  }
}

// Means taken with an independent script over the last judgment of each question and turn.
BOOST_AUTO_TEST_CASE(mt_bench_counts_a_question_and_turn_once) {
  const std::string file = shared("mt-bench/model_judgment/gpt-4_single.jsonl");
  if (!present(file)) return;
  const auto rows = plumb::read_mt_bench_judgments(file);
  const auto scores = plumb::mt_bench_scores(rows);
  for (const auto& [model, score] : scores) BOOST_TEST(score.rated_1 + score.rated_2 + score.failed == 160U, model);
  const auto tolerance = boost::test_tools::tolerance(1e-12);
  BOOST_TEST(scores.at("mistral-orpo").average == 6.328125, tolerance);
  BOOST_TEST(scores.at("mistral-orpo").turn_1 == 6.99375, tolerance);
  BOOST_TEST(scores.at("mistral-orpo").turn_2 == 5.6625, tolerance);
  BOOST_TEST(scores.at("mistral-orpo-trl").average == 7.165625, tolerance);
  BOOST_TEST(scores.at("mistral-orpo-trl").turn_2 == 6.6, tolerance);
}

BOOST_AUTO_TEST_CASE(failures_are_counted_beside_the_mean_and_the_last_judgment_wins) {
  const std::string file = written("plumb_judgments.jsonl",
                                   R"({"question_id":1,"model":"m","judge":["j","v"],"score":2,"turn":1}
{"question_id":1,"model":"m","judge":["j","v"],"score":6,"turn":1}
{"question_id":2,"model":"m","judge":["j","v"],"score":8,"turn":1}
{"question_id":1,"model":"m","judge":["j","v"],"score":-1,"turn":2}
{"question_id":2,"model":"m","judge":["j","v"],"score":4,"turn":2}
)");
  const auto score =
      plumb::mt_bench_scores(plumb::read_mt_bench_judgments(file), {{"1", "math"}, {"2", "writing"}}).at("m");
  BOOST_TEST(score.turn_1 == 7.0);
  BOOST_TEST(score.turn_2 == 4.0);
  BOOST_TEST(score.average == 6.0);
  BOOST_TEST(score.failed == 1U);
  BOOST_TEST(score.categories.at("writing") == 6.0);
}

// The judges' files of a year are kept compressed.
BOOST_AUTO_TEST_CASE(compressed_files_are_read_too) {
  const std::string file = written("plumb_annotations.json.gz", "");
  const gzFile to = gzopen(file.c_str(), "wb");
  gzputs(to, R"([{"instruction": "a", "generator_1": "r", "generator_2": "m", "preference": 2},
 {"instruction": "b", "generator_1": "r", "generator_2": "m", "preference": 1}])");
  gzclose(to);
  const auto rows = plumb::read_alpaca_annotations(file);
  BOOST_REQUIRE(rows.size() == 2U);
  BOOST_TEST(plumb::alpaca_eval_win_rate(rows).rate.mean == 50.0);
}

BOOST_AUTO_TEST_CASE(ratings_are_found_as_fastchat_finds_them) {
  BOOST_TEST(plumb::parse_rating("Good. Rating: [[7]]").value() == 7.0);
  BOOST_TEST(plumb::parse_rating("[[7.5]] or [[8]]").value() == 7.5);
  BOOST_TEST(plumb::parse_rating("see [1] but [[x]] [[9]]").value() == 9.0);
  BOOST_TEST(plumb::parse_rating("Rating: [6]").value() == 6.0);
  BOOST_TEST(!plumb::parse_rating("Rating: 6/10 [[A]]").has_value());
  BOOST_TEST(!plumb::parse_rating("[[").has_value());
}

BOOST_AUTO_TEST_CASE(a_bad_row_is_named) {
  const std::string file = written("plumb_bad_judgments.jsonl", "{\"question_id\":1}\n");
  BOOST_CHECK_EXCEPTION(plumb::read_mt_bench_judgments(file), plumb::Error, [](const plumb::Error& e) {
    return std::string(e.what()).find("plumb_bad_judgments.jsonl:1:1: no \"model\"") != std::string::npos;
  });
  const std::string wrong = written("plumb_bad_annotations.json", R"([{"instruction":"a","preference":3}])");
  BOOST_CHECK_THROW(plumb::read_alpaca_annotations(wrong), plumb::Error);
}

BOOST_AUTO_TEST_SUITE_END()
