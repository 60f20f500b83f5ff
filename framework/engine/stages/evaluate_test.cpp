#include <boost/test/unit_test.hpp>

#include "framework/core/artifacts/records_file.h"
#include "framework/core/evaluation/evaluation_file.h"
#include "framework/core/kinds/test_stage.h"

namespace plumb {
namespace {

using test::TestStage;

// Answers every request with one text, which the folder's name decides; rewards are the length.
class OneAnswerEach final : public LanguageModels {
 public:
  class Policy final : public PolicyHandle {
   public:
    explicit Policy(std::string text) : text_(std::move(text)) {}
    void generate(std::span<const Prompt> prompts, const Sampling& sampling,
                  const std::function<void(std::size_t, ResponseGroup&&)>& done) override {
      for (std::size_t i = 0; i < prompts.size(); ++i) {
        ResponseGroup group{prompts[i], {}, {}, {}};
        group.responses.resize(static_cast<std::size_t>(sampling.responses));
        for (Response& response : group.responses) response.text = text_;
        done(i, std::move(group));
      }
    }

   private:
    std::string text_;
  };
  class Reward final : public RewardHandle {
   public:
    std::vector<std::vector<double>> score(std::span<const ResponseGroup> groups) override {
      std::vector<std::vector<double>> rewards;
      for (const ResponseGroup& group : groups) {
        rewards.emplace_back();
        for (const Response& response : group.responses)
          rewards.back().push_back(static_cast<double>(response.text.size()));
      }
      return rewards;
    }
  };
  std::int64_t rows = 0;  // that a policy was opened with
  std::unique_ptr<PolicyHandle> open_policy(const std::string& folder, const OpenOptions& how) override {
    rows = how.rows;
    if (folder.ends_with("broken")) throw Error(ErrorCode::data, "config.json is missing");
    return std::make_unique<Policy>(folder.ends_with("good") ? "iron, lead and tin." : "saw.");
  }
  std::unique_ptr<RewardHandle> open_reward(const std::string&, const OpenOptions&) override {
    return std::make_unique<Reward>();
  }
};

Value params(const std::vector<const char*>& models) {
  Value::List names;
  for (const char* name : models) names.emplace_back(name);
  return Value::map({{"models", std::move(names)},
                     {"baseline", models.front()},
                     {"prompts", "heldout"},
                     {"evaluators", Value::list({"judge-score", "reward-win-rate"})},
                     {"judge", "gold"},
                     {"reward_model", "reward"},
                     {"samples", 2},
                     {"rows", 7},
                     {"temperature", 1.0}});
}

void give(TestStage& stage, const std::vector<const char*>& models) {
  for (const char* name : models) stage.add_input("models", name, artifact_type::model);
  stage.add_input("reward_model", "reward", artifact_type::reward_model);
  RowWriter rows(stage.add_input("prompts", "heldout", artifact_type::prompts) / "prompts.jsonl");
  rows.write(to_value(Prompt{"p1", {{"user", "name three metals."}}, {}}));
  rows.write(to_value(Prompt{"p2", {{"user", "list three metals, please."}}, {}}));
  rows.write(to_value(Prompt{"p3", {{"user", "name three metals."}}, {}}));  // counts once
}

}  // namespace

BOOST_AUTO_TEST_SUITE(evaluate)

BOOST_AUTO_TEST_CASE(evaluators_judge_and_reward_model_work_together) {
  OneAnswerEach models;
  TestStage stage(params({"bad", "good"}));
  stage.models = &models;
  give(stage, {"bad", "good"});
  run_stage("evaluate", stage);
  BOOST_TEST(models.rows == 7);

  std::map<std::string, Metric> metrics;
  for (const Metric& metric : read_metrics(stage.folder()).value()) metrics[metric.name] = metric;
  const auto tolerance = boost::test_tools::tolerance(1e-12);
  // "iron, lead and tin.": all five criteria, and four without the politeness asked for. "saw.": distinct and obedient,
  // and polite as asked in one of two.
  BOOST_TEST(metrics.at("judge/good/mean").value == 0.9, tolerance);
  BOOST_TEST(metrics.at("judge/bad/mean").value == 0.5, tolerance);
  BOOST_TEST(metrics.at("judge/good/difference").value == 0.4, tolerance);
  BOOST_TEST(metrics.at("reward/good/win_rate").value == 100);
  BOOST_TEST(stage.summary.at("judge/good/mean").at("value").as_double() == 0.9, tolerance);
  BOOST_TEST(stage.summary.at("prompts").as_int() == 2);
  BOOST_TEST(stage.accounted.count("the same prompt came before") == 1);
  BOOST_TEST(stage.summary.at("temperature").as_double() == 1.0);

  const auto answers = read_answers(stage.folder()).value();
  BOOST_REQUIRE(answers.size() == 8U);  // two models, two prompts, two samples; both evaluators share the rows
  for (const EvaluatedAnswer& answer : answers) BOOST_TEST(answer.scores.size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_broken_model_is_not_blamed_on_the_evaluator) {
  OneAnswerEach models;
  TestStage stage(params({"bad", "broken"}));
  stage.models = &models;
  give(stage, {"bad", "broken"});
  BOOST_CHECK_EXCEPTION(run_stage("evaluate", stage), Error, [](const Error& error) {
    return error.code() == ErrorCode::data && std::string(error.what()) == "config.json is missing";
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace plumb
