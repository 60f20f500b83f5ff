#include "framework/core/evaluation/evaluation_file.h"

#include <boost/test/unit_test.hpp>

#include "framework/core/artifacts/disk.h"
#include "framework/core/artifacts/test_folder.h"

namespace plumb {

BOOST_AUTO_TEST_SUITE(evaluation_file)

BOOST_AUTO_TEST_CASE(evaluators_share_the_rows_of_an_answer) {
  const test::Folder folder;
  Evaluation gold, reward;
  gold.metrics = {{"judge/sft/mean", 0.75, 0.7, 0.8, 0.02, 12}, {"judge/sft/count", 3}};
  gold.answers = {{"p1", "sft", {{"user", "hi"}}, "yes", {{"judge", 1}}, "good"},
                  {"p1", "sft", {{"user", "hi"}}, "yes", {{"judge", 0.5}}, "fair"},  // the same text, drawn twice
                  {"p1", "dpo", {{"user", "hi"}}, "yes", {{"judge", 0.25}}, {}}};
  gold.failures = {{"judge/sft/mean", 2}};
  gold.files["details.csv"] = "a,b\n";
  gold.files["mt-bench/model_answer/sft.jsonl"] = "{}\n";
  reward.metrics = {{"reward/sft/mean", -1}};
  reward.answers = {{"p1", "sft", {{"user", "hi"}}, "yes", {{"reward", 2}}, {}},
                    {"p1", "sft", {{"user", "hi"}}, "yes", {{"reward", 2}}, {}},
                    {"p2", "sft", {{"user", "ho"}}, "no", {{"reward", 3}}, {}}};
  write_evaluations(folder.path(), {{"judge-score", gold}, {"reward-win-rate", reward}}).value();

  const std::vector<EvaluatedAnswer> answers = read_answers(folder.path()).value();
  BOOST_REQUIRE(answers.size() == 4U);
  BOOST_TEST(answers[0].scores.at("judge") == 1);
  BOOST_TEST(answers[0].scores.at("reward") == 2);
  BOOST_TEST(answers[0].extra.at("judge-score").as_string() == "good");
  BOOST_TEST(answers[1].scores.at("judge") == 0.5);
  BOOST_TEST(answers[1].scores.at("reward") == 2);
  BOOST_TEST(answers[2].model == "dpo");
  BOOST_TEST(answers[2].scores.size() == 1U);
  BOOST_TEST(answers[3].prompt.at(0).content == "ho");
  BOOST_TEST(read_file(folder / "details.csv").value() == "a,b\n");
  BOOST_TEST(read_file(folder / "mt-bench" / "model_answer" / "sft.jsonl").value() == "{}\n");

  const auto failures = read_failures(folder.path()).value();
  BOOST_REQUIRE(failures.size() == 1U);
  BOOST_TEST(failures.at("judge/sft/mean") == 2);

  const std::vector<Metric> metrics = read_metrics(folder.path()).value();
  BOOST_REQUIRE(metrics.size() == 3U);
  BOOST_TEST(metrics[0].name == "judge/sft/mean");
  BOOST_TEST(metrics[0].low.value() == 0.7);
  BOOST_TEST(metrics[0].count.value() == 12);
  BOOST_TEST(!metrics[1].high.has_value());
  BOOST_TEST(metrics[2].value == -1);
}

BOOST_AUTO_TEST_CASE(what_would_overwrite_something_is_refused) {
  const test::Folder folder;
  Evaluation one;
  one.metrics = {{"judge/sft/mean", 1}};
  BOOST_TEST(!write_evaluations(folder.path(), {{"a", one}, {"b", one}}));
  for (const char* name :
       {"metrics.json", "answers.jsonl", "manifest.json", "../x", "a/../b", "/a", "a/.b", "a/", "", ".hidden"}) {
    Evaluation writing;
    writing.files[name] = "x";
    const Result<void> written = write_evaluations(folder.path(), {{"a", writing}});
    BOOST_REQUIRE_MESSAGE(!written, "file name: " << name);
    BOOST_TEST(static_cast<int>(written.error().code()) == static_cast<int>(ErrorCode::plugin));
  }
}

BOOST_AUTO_TEST_CASE(a_damaged_file_is_named) {
  const test::Folder folder;
  write_file(folder / "metrics.json", R"([{"name":"x"}])").value();
  const auto metrics = read_metrics(folder.path());
  BOOST_REQUIRE(!metrics);
  BOOST_TEST(std::string(metrics.error().what()).find((folder / "metrics.json").string()) == 0U);
  write_file(folder / "answers.jsonl", "{\"prompt_id\":\"p\"}\n").value();
  const auto answers = read_answers(folder.path());
  BOOST_REQUIRE(!answers);
  BOOST_TEST(std::string(answers.error().what()).find("answers.jsonl:1") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace plumb
