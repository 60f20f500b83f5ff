// The evaluators and the judges through the evaluate stage: published numbers by replay, and a small set written by
// hand whose results can be worked out on paper. Only the models are not real: they answer what was recorded.
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <functional>
#include <iostream>

#include "framework/core/artifacts/records_file.h"
#include "framework/core/evaluation/evaluation_file.h"
#include "framework/core/kinds/test_stage.h"
#include "plumb/benchmarks.h"
#include "plumb/json_rows.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;
using test::TestStage;
using Reply = std::function<std::string(const std::string& model, const Prompt& prompt)>;

// Models whose answers a function gives; a reward model whose reward is the answer's length.
class Recorded final : public LanguageModels {
 public:
  explicit Recorded(Reply reply) : reply_(std::move(reply)) {}

  std::unique_ptr<PolicyHandle> open_policy(const std::string& folder, const OpenOptions&) override {
    return std::make_unique<Policy>(reply_, fs::path(folder).filename().string().substr(std::string("input-").size()));
  }
  std::unique_ptr<RewardHandle> open_reward(const std::string& folder, const OpenOptions&) override {
    reward_folder = folder;
    return std::make_unique<Length>();
  }
  std::string reward_folder;

 private:
  class Policy final : public PolicyHandle {
   public:
    Policy(const Reply& reply, std::string model) : reply_(reply), model_(std::move(model)) {}
    void generate(std::span<const Prompt> prompts, const Sampling&,
                  const std::function<void(std::size_t, ResponseGroup&&)>& done) override {
      for (std::size_t i = 0; i < prompts.size(); ++i) {
        ResponseGroup group{prompts[i], {}, {}, {}};
        group.responses.emplace_back();
        group.responses[0].text = reply_(model_, prompts[i]);
        done(i, std::move(group));
      }
    }

   private:
    const Reply& reply_;
    std::string model_;
  };
  class Length final : public RewardHandle {
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
  Reply reply_;
};

fs::path shared_data(const std::string& part) {
  const char* given = std::getenv("PLUMB_SHARED");
  const fs::path root = given != nullptr ? given : PLUMB_SOURCE_DIR "/../shared";
  if (fs::exists(root / "data" / part)) return root / "data" / part;
  std::cout << "skipped: " << (root / "data" / part) << " is not there (set PLUMB_SHARED)\n";
  return {};
}

std::vector<Prompt> questions_of(const fs::path& file) {
  std::vector<Prompt> prompts;
  JsonRows rows(file.string());
  while (auto row = rows.next()) {
    prompts.push_back({"mt-bench-" + std::to_string(row->at("question_id").as_int()),
                       {{"user", row->at("turns").as_list()[0].as_string()}},
                       *row});
  }
  return prompts;
}

struct Numbers {
  std::map<std::string, Metric> metrics;
  std::map<std::string, std::int64_t> failures;
  [[nodiscard]] const Metric& at(const std::string& name) const { return metrics.at(name); }
};

// Runs the stage over these models.
Numbers evaluate(LanguageModels& models, const std::vector<std::string>& names, const std::vector<Prompt>& prompts,
                 const Value& evaluator, const Value& judge, bool with_reward_model = false) {
  Value params = Value::map({{"models", Value::List(names.begin(), names.end())},
                             {"prompts", "heldout"},
                             {"evaluators", Value::list({evaluator})},
                             {"judge", judge}});
  if (names.size() > 1) params.set("baseline", names.front());
  if (with_reward_model) params.set("reward_model", "reward");
  TestStage stage(params);
  stage.models = &models;
  for (const std::string& name : names) stage.add_input("models", name, artifact_type::model);
  if (with_reward_model) stage.add_input("reward_model", "reward", artifact_type::reward_model);
  {
    RowWriter rows(stage.add_input("prompts", "heldout", artifact_type::prompts) / "prompts.jsonl");
    for (const Prompt& prompt : prompts) rows.write(to_value(prompt));
  }
  run_stage("evaluate", stage);
  Numbers numbers{{}, read_failures(stage.folder()).value()};
  for (const Metric& metric : read_metrics(stage.folder()).value()) numbers.metrics[metric.name] = metric;
  return numbers;
}

const auto exactly = boost::test_tools::tolerance(1e-12);

}  // namespace

BOOST_AUTO_TEST_SUITE(benchmarks)

// Eight questions; the ratings of `sft` are 64 in 16, those of `aligned` 98 in 15, and one judgment has none.
BOOST_AUTO_TEST_CASE(judgments_written_by_hand_give_the_numbers_worked_out_on_paper) {
  const fs::path folder = fs::path(PLUMB_SOURCE_DIR) / "recipes" / "lab" / "judged";
  Recorded models([](const std::string& model, const Prompt& prompt) { return model + " on " + prompt.id; });
  const auto metrics =
      evaluate(models, {"sft", "aligned"}, questions_of(folder / "question.jsonl"),
               Value::map({{"name", "mt-bench"}, {"tolerated_failures", 0.05}}),
               Value::map({{"name", "replay-judge"}, {"mt_bench", (folder / "judgments.jsonl").string()}}));
  BOOST_TEST(metrics.at("mt-bench/sft/mean").value == 4.0, exactly);
  BOOST_TEST(metrics.at("mt-bench/sft/turn_1").value == 5.0, exactly);
  BOOST_TEST(metrics.at("mt-bench/sft/turn_2").value == 3.0, exactly);
  BOOST_TEST(metrics.failures.at("mt-bench/sft/mean") == 0);
  BOOST_TEST(metrics.at("mt-bench/aligned/mean").value == 98.0 / 15, exactly);
  BOOST_TEST(metrics.at("mt-bench/aligned/turn_1").value == 7.0, exactly);
  BOOST_TEST(metrics.at("mt-bench/aligned/turn_2").value == 6.0, exactly);
  BOOST_TEST(metrics.failures.at("mt-bench/aligned/turn_2") == 1);
  BOOST_TEST(metrics.at("mt-bench/aligned/category/extraction").value == 7.0, exactly);
  BOOST_TEST(metrics.at("mt-bench/aligned/category/coding").value == 8.5, exactly);
}

// Means, categories and the error over questions taken with an independent script from the recorded judgments; a later
// judgment of the same question and turn replaces an earlier one.
BOOST_AUTO_TEST_CASE(mt_bench_reproduces_published_judgments) {
  const fs::path folder = shared_data("mt-bench");
  if (folder.empty()) return;
  const auto recorded = read_mt_bench_answers((folder / "model_answer" / "mistral-orpo-trl.jsonl").string());
  Recorded models([&](const std::string&, const Prompt& prompt) {
    const bool second = prompt.id.ends_with("/2");
    return recorded.at(prompt.id.substr(9, prompt.id.find('/') - 9)).at(second ? 1 : 0);
  });
  const auto metrics =
      evaluate(models, {"mistral-orpo", "mistral-orpo-trl"}, questions_of(folder / "question.jsonl"), "mt-bench",
               Value::map({{"name", "replay-judge"},
                           {"mt_bench", (folder / "model_judgment" / "gpt-4_single.jsonl").string()}}));
  BOOST_TEST(metrics.at("mt-bench/mistral-orpo/mean").value == 6.328125, exactly);
  BOOST_TEST(metrics.at("mt-bench/mistral-orpo/turn_1").value == 6.99375, exactly);
  BOOST_TEST(metrics.at("mt-bench/mistral-orpo/turn_2").value == 5.6625, exactly);
  BOOST_TEST(metrics.at("mt-bench/mistral-orpo-trl/mean").value == 7.165625, exactly);
  BOOST_TEST(metrics.at("mt-bench/mistral-orpo-trl/turn_2").value == 6.6, exactly);
  BOOST_TEST(metrics.failures.at("mt-bench/mistral-orpo-trl/mean") == 0);
  BOOST_TEST(metrics.at("mt-bench/mistral-orpo-trl/mean").count.value() == 80);
  BOOST_TEST(metrics.at("mt-bench/mistral-orpo-trl/mean").standard_error.value() == 0.3356148638358135, exactly);
  const std::map<std::string, double> categories{{"stem", 9.0},        {"writing", 8.775}, {"extraction", 8.05},
                                                 {"humanities", 9.75}, {"math", 3.65},     {"reasoning", 4.45},
                                                 {"roleplay", 7.9},    {"coding", 5.75}};
  for (const auto& [category, mean] : categories) {
    BOOST_TEST(metrics.at("mt-bench/mistral-orpo-trl/category/" + category).value == mean, exactly);
  }
}

// The leaderboard that alpaca_eval publishes beside its annotations.
BOOST_AUTO_TEST_CASE(alpaca_eval_reproduces_its_leaderboard) {
  const fs::path folder = shared_data("alpaca-eval");
  if (folder.empty()) return;
  struct Published {
    const char* model;
    double win_rate, standard_error;
  };
  for (const Published& p : {Published{"llama-2-7b-chat-hf", 71.36645962732919, 1.593038654706019},
                             Published{"alpaca-7b", 26.459627329192543, 1.535711469748}}) {
    const std::string file = (folder / p.model / "alpaca_eval_gpt4" / "annotations.json").string();
    std::vector<Prompt> prompts;
    std::map<std::string, std::string> outputs;
    for (const AlpacaAnnotation& row : read_alpaca_annotations(file)) {
      prompts.push_back({"p" + std::to_string(prompts.size()),
                         {{"user", row.instruction}},
                         Value::map({{"reference", row.output_1}, {"generator", row.generator_1}})});
      outputs[row.instruction] = row.output_2;
    }
    Recorded models([&](const std::string&, const Prompt& prompt) { return outputs.at(prompt.messages[0].content); });
    const auto metrics = evaluate(models, {p.model}, prompts, "alpaca-eval",
                                  Value::map({{"name", "replay-judge"}, {"alpaca_eval", file}}));
    const Metric& wins = metrics.at(std::string("alpaca-eval/") + p.model + "/win_rate_over_text_davinci_003");
    BOOST_TEST(wins.value == p.win_rate, exactly);
    BOOST_TEST(wins.standard_error.value() == p.standard_error, boost::test_tools::tolerance(1e-10));
    BOOST_TEST(wins.count.value() == 805);
    BOOST_TEST(metrics.failures.at(wins.name) == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_reward_model_judges_when_the_stage_names_one) {
  Recorded models([](const std::string& model, const Prompt&) {
    return model == "short" ? std::string("no") : std::string("certainly");
  });
  const std::vector<Prompt> prompts{{"p1", {{"user", "a"}}, {}}, {"p2", {{"user", "b"}}, {}}};
  const auto wins = evaluate(models, {"short", "long"}, prompts, "alpaca-eval", "reward-judge", true);
  BOOST_TEST(wins.at("alpaca-eval/long/win_rate").value == 100);
  BOOST_TEST(models.reward_folder.ends_with("input-reward"));
  const fs::path questions = fs::path(PLUMB_SOURCE_DIR) / "recipes" / "lab" / "judged" / "question.jsonl";
  const auto rated = evaluate(models, {"short", "long"}, questions_of(questions), "mt-bench", "reward-judge", true);
  BOOST_TEST(rated.at("mt-bench/short/mean").value == 2);
  BOOST_TEST(rated.at("mt-bench/long/difference").value == 7);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace plumb
