#include "framework/report/sweep_report.h"

#include <boost/test/unit_test.hpp>

#include "framework/artifacts/disk.h"
#include "framework/artifacts/test_folder.h"
#include "framework/evaluation/evaluation_file.h"
#include "framework/evaluation/reward_gaps.h"
#include "framework/report/test_contains.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

using test::contains;

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
  artifact.manifest.summary = Value::map({{"pairs", 2}, {"prompts_used", 1}, {"delta", delta}});
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
  c.measures.push_back({"gold", {Cell{2, 400, 0.7, 0.01, {}}, Cell{2, 400, 0.771, 0.02, {}}}});
  c.measures.push_back({"reward", {Cell{2, 400, 0.5, 0.01, {}}, Cell{2, 400, 1.25, 0.02, {}}}});
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
  const std::string page = to_markdown(write_sweep_report(
      {.title = "study", .comparison = comparison, .arms = arms, .published = published, .examples = 3}));

  BOOST_TEST(contains(page, "| high | 0.771 | 1.250 | 5.44 |"));
  BOOST_TEST(contains(page, "| low | 0.700 | 0.500 |  |"));
  BOOST_TEST(contains(page, "Published\\: a paper\\. Other"));
  BOOST_TEST(contains(page, "| low | 2 | 1 | 0.4 |"));
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
      write_sweep_report({.title = "study", .comparison = comparison, .arms = arms, .published = {}, .examples = 3}));
  const auto csv = [&](const std::string& name) {
    for (const auto& [file, text] : data) {
      if (file == name) return text;
    }
    BOOST_FAIL("no figure " + name);
    return std::string();
  };
  // One histogram for both, as they chose from the same responses, with both thresholds.
  BOOST_TEST(contains(csv("low-gaps.csv"), "low: δ = 0.400,0.4\nhigh: δ = 2.200,2.2\n"));
  BOOST_TEST(csv("reward-against-gold.csv") == "series,reward,gold\nlow,0.5,0.7\nhigh,1.25,0.771\n");
  BOOST_TEST(csv("training-rewards-margins.csv") ==
             "series,update,rewards/margins\nlow,1,0.1\nlow,2,0.2\nlow,3,0.30000000000000004\n"
             "high,1,0.1\nhigh,2,0.2\nhigh,3,0.30000000000000004\n");
  // A loss of DPO and one of language modelling do not belong on one axis.
  BOOST_TEST(csv("training-loss-train-dpo.csv") == "series,update,loss\nlow,1,0.5\nlow,2,0.5\nlow,3,0.5\n");
  BOOST_TEST(csv("training-loss-train-sft.csv") == "series,update,loss\nhigh,1,0.5\nhigh,2,0.5\nhigh,3,0.5\n");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace plumb
