#include "framework/core/sweep/sweep_report.h"

#include <boost/test/unit_test.hpp>

#include "framework/core/artifacts/disk.h"
#include "framework/core/artifacts/test_folder.h"
#include "framework/core/evaluation/evaluation_file.h"
#include "framework/core/evaluation/reward_gaps.h"
#include "framework/core/report/test_contains.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

using test::contains;

// Markdown as its reader sees it.
std::string unescaped(std::string markdown) {
  std::erase(markdown, '\\');
  return markdown;
}

Artifact made(const fs::path& folder, const char* type, const char* kind, const std::string& key, double seconds) {
  fs::create_directories(folder);
  Artifact artifact{folder, {}};
  artifact.manifest.type = type;
  artifact.manifest.stage_kind = kind;
  artifact.manifest.key = key;
  artifact.manifest.seconds = seconds;
  artifact.manifest.peak_bytes = 64 << 20;
  return artifact;
}

Artifact pairs_in(const fs::path& folder, double delta) {
  Artifact artifact = made(folder, artifact_type::pairs, "select", folder.string(), 1);
  ResponseGroup group;
  for (const double reward : {0.0, 2.0, 2.5}) {
    group.responses.emplace_back();
    group.responses.back().reward = reward;
  }
  write_file(folder / "gaps.json", to_json(to_value(measure_reward_gaps(std::span(&group, 1)), delta))).value();
  if (delta > 1) {
    artifact.manifest.params =
        Value::map({{"policy", Value::map({{"name", "reward-gap"}, {"eta", 0.9}, {"tau", 1.2}, {"delta", Value()}})}});
  }
  artifact.manifest.summary = Value::map(
      {{"pairs", 2}, {"prompts_used", 1}, {"delta", delta}, {"reasons", Value::map({{"kept", 2}, {"gap", 1}})}});
  return artifact;
}

Artifact model_in(const fs::path& folder, const char* optimizer, double loss) {
  Artifact artifact = made(folder, artifact_type::model, "train", folder.string(), 10);
  artifact.manifest.params = Value::map({{"optimizer", Value::map({{"name", optimizer}})}});
  std::string rows;
  for (int step = 1; step <= 3; ++step) {
    rows += to_json(Value::map({{"step", step}, {"loss", loss}, {"rewards/margins", 0.1 * step}})) + "\n";
  }
  write_file(folder / "metrics.jsonl", rows).value();
  return artifact;
}

Artifact evaluation_in(const fs::path& folder, const std::string& answer) {
  Artifact artifact = made(folder, artifact_type::metrics, "evaluate", folder.string(), 2);
  Evaluation gold;
  gold.answers = {{"p1", "aligned", {{"user", "name two"}}, answer, {{"judge", 0.6}}, {}}};
  write_evaluations(folder, {{"judge-score", gold}}).value();
  return artifact;
}

Comparison two_rows() {
  Comparison c;
  c.rows = {"low", "high"};
  c.recipes = {{}, {"stages.pairs.policy.eta 0.8 -> 0.9"}};
  c.measures.push_back({"gold", {Cell{2, 400, {}, 0.7, 0.01, {}}, Cell{2, 400, {}, 0.771, 0.02, {}}}});
  c.measures.push_back({"reward", {Cell{2, 400, {}, 0.5, 0.01, {}}, Cell{2, 400, {}, 1.25, 0.02, Difference{}}}});
  c.tradeoffs = {
      {1, 0, "reward", "gold", {.mean = 0.75, .low = 0.7, .high = 0.8}, {.mean = 0.071, .low = 0.06, .high = 0.08}}};
  return c;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sweep_report)

BOOST_AUTO_TEST_CASE(rows_stand_side_by_side) {
  const test::Folder folder;
  const Artifact shared = made(folder / "sft", artifact_type::model, "sft", "one key", 30);
  std::vector<SweepArm> arms;
  for (const std::uint64_t seed : {1U, 2U}) {
    for (const std::string& row : {std::string("low"), std::string("high")}) {
      const fs::path at = folder / (row + std::to_string(seed));
      arms.push_back({row,
                      seed,
                      {{"sft", shared},
                       {"pairs", pairs_in(at / "pairs", row == "low" ? 0.4 : 2.2)},
                       {"aligned", model_in(at / "aligned", row == "low" ? "dpo" : "sft", 0.5)},
                       {"gold", evaluation_in(at / "gold", "answer of " + row + std::to_string(seed))}}});
    }
  }
  const Value published = parse_json(R"({"source":"a paper","rows":{"high":{"MT-Bench":5.44}}})");
  const Comparison comparison = two_rows();
  const std::string page = to_markdown(
      write_sweep_report(
          {.title = "study", .comparison = comparison, .arms = arms, .published = published, .examples = {.count = 3}})
          .value());

  BOOST_TEST(contains(page, "| high | 2 | 0.9 | 1.2 | 0.771 | 1.250 | 5.44 |"));
  BOOST_TEST(contains(page, "| low | 2 |  |  | 0.700 | 0.500 |  |"));
  BOOST_TEST(contains(unescaped(page), "over-optimised: none"));
  BOOST_TEST(contains(unescaped(page), "| high | low | +0.750 (+0.700 to +0.800) |"));
  BOOST_TEST(contains(page, "Published\\: a paper\\. Other"));
  BOOST_TEST(contains(page, "| low | 2 | 1 | 0.4 |"));
  BOOST_TEST(contains(page, "| row | gap | kept |"));
  BOOST_TEST(contains(page, "| high | 1 | 2 |"));
  // Seed 1 alone is shown, and the shared model ran once: 30 s, 4 models at 10 s.
  BOOST_TEST(contains(page, "answer of low1"));
  BOOST_TEST(!contains(page, "answer of low2"));
  BOOST_TEST(contains(page, "| sft | 1 | 30.0 | 64 |"));
  BOOST_TEST(contains(page, "| train | 4 | 40.0 | 64 |"));
  BOOST_TEST(contains(page, "- `stages.pairs.policy.eta 0.8 -> 0.9`"));
}

BOOST_AUTO_TEST_CASE(figures_hold_every_row) {
  const test::Folder folder;
  std::vector<SweepArm> arms;
  for (const std::string& row : {std::string("low"), std::string("high")}) {
    arms.push_back({row,
                    1,
                    {{"pairs", pairs_in(folder / (row + "-pairs"), row == "low" ? 0.4 : 2.2)},
                     {"aligned", model_in(folder / (row + "-model"), row == "low" ? "dpo" : "sft", 0.5)}}});
  }
  const Comparison comparison = two_rows();
  const auto data = figure_data(
      write_sweep_report(
          {.title = "study", .comparison = comparison, .arms = arms, .published = {}, .examples = {.count = 3}})
          .value());
  const auto csv = [&](const std::string& name) {
    for (const auto& [file, text] : data) {
      if (file == name) return text;
    }
    BOOST_FAIL("no figure " + name);
    return std::string();
  };
  // One histogram for both, as they chose from the same responses, with both thresholds.
  BOOST_TEST(
      contains(csv("low-gaps.csv"), "low: δ = 0.400,0.4\n\"high: reward-gap (eta 0.9, tau 1.2): δ = 2.200\",2.2\n"));
  BOOST_TEST(contains(csv("low-gaps.csv"), "mean "));
  // Three gaps of 2, 2.5 and 0.5: all above 0, none above the largest.
  BOOST_TEST(contains(csv("low-thresholds.csv"), "pairs,0,3\n"));
  BOOST_TEST(contains(csv("low-thresholds.csv"), "pairs,2.5,0\n"));
  BOOST_TEST(contains(csv("low-thresholds.csv"), "\"high: reward-gap (eta 0.9, tau 1.2): δ = 2.200\",2.2\n"));
  BOOST_TEST(csv("reward-against-gold.csv") == "series,reward,gold\nlow,0.5,0.7\nhigh,1.25,0.771\n");
  BOOST_TEST(csv("training-rewards-margins.csv") ==
             "series,update,rewards/margins\nlow,1,0.1\nlow,2,0.2\nlow,3,0.30000000000000004\n"
             "high,1,0.1\nhigh,2,0.2\nhigh,3,0.30000000000000004\n");
  // A loss of DPO and one of language modelling do not belong on one axis.
  BOOST_TEST(csv("training-loss-train-dpo.csv") == "series,update,loss\nlow,1,0.5\nlow,2,0.5\nlow,3,0.5\n");
  BOOST_TEST(csv("training-loss-train-sft.csv") == "series,update,loss\nhigh,1,0.5\nhigh,2,0.5\nhigh,3,0.5\n");
}

// The study of "weak": its reward model scored two of four rows, which have a figure of their own.
BOOST_AUTO_TEST_CASE(over_optimisation_is_shown_for_each_reward_model) {
  Comparison c = two_rows();
  c.rows = {"sft", "ppo", "sft-weak", "ppo-weak"};
  c.recipes.resize(4);
  Difference weak;
  weak.over = 2;
  weak.mean = {.mean = 3, .low = 2.5, .high = 3.5};
  c.measures[0].cells = {Cell{3, 400, {}, 0.7, {}, {}}, Cell{3, 400, {}, 0.8, {}, {}}, Cell{3, 400, {}, 0.7, {}, {}},
                         Cell{3, 400, 5, 0.4, {}, {}}};
  c.measures[1].cells = {Cell{3, 400, {}, 0.0, {}, {}}, Cell{3, 400, {}, 1.0, {}, Difference{}},
                         Cell{3, 400, {}, -2.0, {}, {}}, Cell{3, 400, {}, 1.0, {}, weak}};
  c.tradeoffs = {
      {1, 0, "reward", "gold", {.mean = 1, .low = 0.8, .high = 1.2}, {.mean = 0.1, .low = 0.05, .high = 0.15}},
      {3, 2, "reward", "gold", weak.mean, {.mean = -0.3, .low = -0.4, .high = -0.2}}};
  const Document document =
      write_sweep_report({.title = "study", .comparison = c, .arms = {}, .published = {}, .examples = {.count = 0}})
          .value();
  const std::string page = unescaped(to_markdown(document));
  BOOST_TEST(contains(page, "over-optimised: ppo-weak: the reward is above that of sft-weak by 3.000"));
  BOOST_TEST(contains(page, "| yes |"));
  BOOST_TEST(contains(page, "| ppo-weak | 3 | 0.400 | 5 |"));
  const auto data = figure_data(document);
  BOOST_REQUIRE_EQUAL(data.size(), 2U);
  BOOST_TEST(data[0].second == "series,reward,gold\nsft,0,0.7\nppo,1,0.8\n");
  BOOST_TEST(data[1].first == "reward-against-gold-sft-weak.csv");
  BOOST_TEST(data[1].second == "series,reward,gold\nsft-weak,-2,0.7\nppo-weak,1,0.4\n");
}

// Rows of one family make a curve in the order of their numbers, whatever the order of the rows and of the rewards.
BOOST_AUTO_TEST_CASE(longer_and_longer_training_is_a_curve) {
  Comparison c = two_rows();
  c.rows = {"sft",      "dpo,learning_rate=1e-04", "dpo,learning_rate=0.01", "dpo,learning_rate=2e-04",
            "gap-0.90", "dpo,learning_rate=1e-05"};
  c.recipes.resize(6);
  c.tradeoffs.clear();
  const std::vector<std::pair<double, double>> points{{0, 0.7}, {1, 0.75}, {2.5, 0.4}, {3, 0.72}, {1, 1}, {0, 0.71}};
  c.measures[0].cells.clear(), c.measures[1].cells.clear();
  for (std::size_t i = 0; i < points.size(); ++i) {
    c.measures[0].cells.emplace_back(Cell{3, 400, {}, points[i].second, {}, {}});
    c.measures[1].cells.emplace_back(
        Cell{3, 400, {}, points[i].first, {}, i == 0 ? std::nullopt : std::optional(Difference{})});
    if (i > 0) c.tradeoffs.push_back({i, 0, "reward", "gold", {}, {}});
  }
  const auto data = figure_data(
      write_sweep_report({.title = "long", .comparison = c, .arms = {}, .published = {}, .examples = {.count = 0}})
          .value());
  BOOST_REQUIRE_EQUAL(data.size(), 1U);
  BOOST_TEST(data[0].second ==
             "series,reward,gold\nsft,0,0.7\n\"dpo,learning_rate from 1e-05 to 0.01\",0,0.71\n"
             "\"dpo,learning_rate from 1e-05 to 0.01\",1,0.75\n\"dpo,learning_rate from 1e-05 to 0.01\",3,0.72\n"
             "\"dpo,learning_rate from 1e-05 to 0.01\",2.5,0.4\ngap-0.90,1,1\n");
}

BOOST_AUTO_TEST_CASE(a_sweep_that_evaluates_nothing_has_its_figures) {
  const test::Folder folder;
  const std::vector<SweepArm> arms{{"low", 1, {{"pairs", pairs_in(folder / "pairs", 0.4)}}}};
  const Document document =
      write_sweep_report({.title = "gaps", .comparison = {}, .arms = arms, .published = {}, .examples = {.count = 3}})
          .value();
  BOOST_TEST(figure_data(document).at(1).first == "low-gaps.csv");
  BOOST_TEST(to_markdown(document).find("Measures") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace plumb
