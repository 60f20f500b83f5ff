#include "framework/core/report/report.h"

#include <boost/test/unit_test.hpp>

#include "framework/core/artifacts/disk.h"
#include "framework/core/artifacts/test_folder.h"
#include "framework/core/evaluation/evaluation_file.h"
#include "framework/core/evaluation/reward_gaps.h"
#include "framework/core/report/scores.h"
#include "framework/core/report/test_contains.h"
#include "framework/core/telemetry/row_account.h"

namespace plumb {
namespace {

using test::contains;

Artifact evaluation_in(const std::filesystem::path& folder) {
  Evaluation gold;
  gold.metrics = {{"judge/sft/mean", 0.715, 0.705, 0.725, 0.005, 400},
                  {"judge/dpo/mean", 0.786, 0.777, 0.795, 0.004, 400},
                  {"judge/dpo/difference", 0.071, 0.06, 0.082, 0.005, 400}};
  gold.answers = {{"p1", "sft", {{"user", "name | two"}}, "<b>plum", {{"judge", 0.6}}, {}},
                  {"p1", "dpo", {{"user", "name | two"}}, "fig\nfig", {{"judge", 0.8}}, {}},
                  {"p1", "dpo", {{"user", "name | two"}}, "a second sample", {{"judge", 0.8}}, {}},
                  {"p2", "sft", {{"user", "list one"}}, "kiwi", {{"judge", 1}}, {}}};
  std::filesystem::create_directories(folder);
  write_evaluations(folder, {{"judge-score", gold}}).value();
  Artifact artifact{folder, {}};
  artifact.manifest.type = artifact_type::metrics;
  artifact.manifest.stage_kind = "evaluate";
  artifact.manifest.params = Value::map({{"models", Value::list({"sft", "dpo"})},
                                         {"baseline", "sft"},
                                         {"judge", Value::map({{"name", "gold"}})},
                                         {"temperature", 1.0}});
  artifact.manifest.summary = Value::map({{"prompts", 400}, {"samples", 4}});
  return artifact;
}

Artifact pairs_in(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  ResponseGroup group;
  for (const double reward : {0.0, 2.0, 2.5}) {
    group.responses.emplace_back();
    group.responses.back().reward = reward;
  }
  const auto gaps = measure_reward_gaps(std::span(&group, 1));
  write_file(folder / "gaps.json", to_json(to_value(gaps, 1.735))).value();
  Artifact artifact{folder, {}};
  artifact.manifest.type = artifact_type::pairs;
  artifact.manifest.stage_kind = "select";
  artifact.manifest.params =
      Value::map({{"policy", Value::map({{"name", "reward-gap"}, {"eta", 0.85}, {"delta", Value()}})}});
  artifact.manifest.summary =
      Value::map({{"prompts", 1}, {"prompts_used", 1}, {"pairs", 2}, {"delta", 1.7346}, {"overlong_dropped", 1234}});
  return artifact;
}

Artifact model_in(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  std::string rows;
  for (int step = 1; step <= 50; ++step) {
    rows += to_json(Value::map({{"step", step}, {"loss", 0.7 - step * 0.002}, {"grad_norm", 1.0}})) + "\n";
  }
  write_file(folder / "metrics.jsonl", rows).value();
  Artifact artifact{folder, {}};
  artifact.manifest.type = artifact_type::model;
  artifact.manifest.stage_kind = "train";
  artifact.manifest.seconds = 12.3;
  artifact.manifest.summary = Value::map({{"final_loss", 0.6}});
  return artifact;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(report)

// As the SDK's documents name the metrics of an evaluator.
BOOST_AUTO_TEST_CASE(metrics_of_a_kind_alone_are_columns_and_those_of_no_model_are_listed) {
  const test::Folder folder;
  Artifact artifact = evaluation_in(folder / "words");
  Evaluation words;
  words.metrics = {{"words/sft", 20.4, 19.4, 21.4, 0.5, 400}, {"words/dpo", 31.2, 30.1, 32.3, 0.5, 400}};
  write_evaluations(folder / "words", {{"words", words}}).value();
  const Report report = write_report({.title = "words", .items = {{"words", &artifact}}, .examples = 0}).value();
  BOOST_TEST(contains(to_markdown(report.page), "| model | words |"));
  BOOST_TEST(contains(report.text, "  model  words\n  sft    20.4 ± 1.0\n  dpo    31.2 ± 1.1\n"));

  words.metrics = {{"perplexity of all", 12.5}};
  write_evaluations(folder / "words", {{"words", words}}).value();
  const Report listed = write_report({.title = "words", .items = {{"words", &artifact}}, .examples = 0}).value();
  BOOST_TEST(contains(listed.text, "perplexity of all: 12.5"));
  BOOST_TEST(!contains(listed.text, "  model\n"));
}

BOOST_AUTO_TEST_CASE(a_page_and_a_few_lines) {
  const test::Folder folder;
  const Artifact gold = evaluation_in(folder / "gold"), pairs = pairs_in(folder / "pairs"),
                 model = model_in(folder / "dpo");
  RowAccount account;
  account.add({.count = 3, .of = 300, .reason = "no answer"});
  ArtifactManifest data;
  data.key = "1";
  data.stage = "preferences";
  data.summary = Value::map({{RowAccount::key, account.to_value()}});
  const Report report = write_report({.title = "A *study*",
                                      .items = {{"gold", &gold}, {"pairs", &pairs}, {"dpo", &model}},
                                      .examples = {.count = 5},
                                      .made_from = {data}})
                            .value();
  const std::string markdown = to_markdown(report.page);

  BOOST_TEST(markdown.find("# A \\*study\\*\n") == 0U);
  BOOST_TEST(contains(markdown, "| model | gold score | gold over sft |"));
  BOOST_TEST(contains(markdown, "| dpo | 0.786 ± 0.009 | +0.071 ± 0.011 |"));
  BOOST_TEST(contains(markdown, "dpo is above sft by 0\\.071"));
  BOOST_TEST(contains(markdown, "400 prompts\\)"));
  // Thresholds: gaps 0.5, 2 and 2.5; δ is 1.735 at η = 0.85 and 2.197 at 0.9.
  BOOST_TEST(contains(markdown, "| 0.85 | 1.735 | 2 | 1 |"));
  BOOST_TEST(contains(markdown, "| 0.9 | 2.197 | 1 | 1 |"));
  // The first answer of each model, with nothing in it taken for markup.
  BOOST_TEST(contains(markdown, "> **user:** name \\| two\n"));
  BOOST_TEST(contains(markdown, "| sft | &lt;b\\>plum | 0.600 |"));
  BOOST_TEST(contains(markdown, "| dpo | fig<br>fig | 0.800 |"));
  BOOST_TEST(!contains(markdown, "a second sample"));
  BOOST_TEST(contains(markdown, "| model | update | loss |"));
  BOOST_TEST(contains(markdown, "| dpo | 1 | 0.698 |"));
  BOOST_TEST(contains(markdown, "| dpo | 50 | 0.6 |"));
  BOOST_TEST(contains(markdown, "## Rows that were not used as they were\n"));
  BOOST_TEST(contains(markdown, "- preferences\\: left out 3 of 300 rows\\: no answer\n"));
  BOOST_TEST(contains(markdown, "plumb chat '" + (folder / "dpo").string() + "'"));

  BOOST_TEST(contains(report.text, "  model  gold score     gold over sft\n"));
  BOOST_TEST(contains(report.text, "  dpo    0.786 ± 0.009  +0.071 ± 0.011\n"));
  BOOST_TEST(contains(report.text,
                      "2 pairs from 1 of 1 prompts by reward-gap (eta 0.85): reward gap > δ = 1.735; "
                      "1,234 answers too long for the reward model were left out"));
}

BOOST_AUTO_TEST_CASE(prompts_are_chosen_by_how_they_begin_and_missed_when_they_are_not_there) {
  const test::Folder folder;
  const Artifact gold = evaluation_in(folder / "gold");
  const auto page = [&](const std::string& prompt) {
    return to_markdown(
        write_report({.title = "", .items = {{"gold", &gold}}, .examples = {.count = 0, .prompts = {prompt}}})
            .value()
            .page);
  };
  BOOST_TEST(contains(page("name"), "Chosen prompts; the first answer of each model"));
  BOOST_TEST(contains(page("name"), "> **user:** name \\| two\n"));
  BOOST_CHECK_EXCEPTION(page("nobody asked"), Error, [](const Error& error) {
    return error.code() == ErrorCode::recipe && std::string(error.what()).find("begins so") != std::string::npos;
  });
}

BOOST_AUTO_TEST_CASE(a_missing_file_is_named) {
  const test::Folder folder;
  Artifact gold = evaluation_in(folder / "gold");
  std::filesystem::remove(folder / "gold" / "metrics.json");
  const Result<Report> report = write_report({.title = "", .items = {{"gold", &gold}}});
  BOOST_REQUIRE(!report);
  BOOST_TEST(contains(report.error().what(), "metrics.json"));
  BOOST_TEST((report.error().code() == ErrorCode::data));
}

BOOST_AUTO_TEST_CASE(differences_are_put_in_words) {
  const std::vector<Metric> metrics{{"reward/b/mean", 1},
                                    {"judge/b/difference", -0.05, -0.08, -0.02},
                                    {"reward/b/difference", 0.1, -0.1, 0.3},
                                    {"reward/b/win_rate", 55, 50, 60},
                                    {"perplexity", 12}};
  const Scores scores = arrange_scores(metrics, {"a", "b"}, "a", {});
  BOOST_REQUIRE(scores.verdicts.size() == 2U);
  BOOST_TEST(scores.verdicts[0].find("judge score: b is below a by 0.050") == 0U);
  BOOST_TEST(scores.verdicts[1].find("reward: b and a cannot be told apart") == 0U);
  BOOST_REQUIRE(scores.others.size() == 1U);
  BOOST_TEST(scores.others[0].name == "perplexity");
  BOOST_TEST(scores.full.header.size() == 5U);
  BOOST_TEST(scores.brief.header.size() == 4U);  // the win rate stands for the reward's difference
  BOOST_TEST(scores.full.rows[0][1] == "");
}

BOOST_AUTO_TEST_CASE(failed_judgements_stand_beside_their_numbers) {
  const test::Folder folder;
  Evaluation rated;
  rated.metrics = {{"mt-bench/sft/mean", 6.3, 5.9, 6.7, 0.2, 80},
                   {"mt-bench/sft/category/math", 3, 2, 4, 0.5, 10},
                   {"alpaca-eval/sft/win_rate_over_text_davinci_003", 71.4, 68.3, 74.5, 1.6, 805}};
  rated.failures = {{"mt-bench/sft/mean", 2}};
  std::filesystem::create_directories(folder / "rated");
  write_evaluations(folder / "rated", {{"mt-bench", rated}}).value();
  Artifact artifact{folder / "rated", {}};
  artifact.manifest.type = artifact_type::metrics;
  artifact.manifest.stage_kind = "evaluate";
  artifact.manifest.params = Value::map({{"models", Value::list({"sft"})}});
  const Report report = write_report({.title = "", .items = {{"rated", &artifact}}}).value();
  BOOST_TEST(contains(report.text, "6.30 ± 0.40 (2 failed)"));
  BOOST_TEST(contains(report.text, "(n failed): judgements that gave nothing"));
  BOOST_TEST(!contains(report.text, "math"));
  BOOST_TEST(contains(report.text, "alpaca-eval wins over text_davinci_003, %"));
  BOOST_TEST(contains(to_markdown(report.page), "6\\.30 ± 0\\.40 \\(2 failed\\)"));
  BOOST_TEST(contains(to_markdown(report.page), "mt\\-bench math"));

  rated.failures = {{"mt-bench/sft/mean", 0}};
  write_evaluations(folder / "rated", {{"mt-bench", rated}}).value();
  BOOST_TEST(
      contains(write_report({.title = "", .items = {{"rated", &artifact}}}).value().text, "no judgement failed"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace plumb
