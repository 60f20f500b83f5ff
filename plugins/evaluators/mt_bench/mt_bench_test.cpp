#include <plumb/benchmarks.h>
#include <plumb/evaluator.h>
#include <plumb/json_rows.h>
#include <plumb/statistics.h>
#include <plumb/testing.h>
#include <plumb/testing_evaluation.h>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "judge_prompts.h"
#include "questions.h"

using plumb::JudgeRequest;
using plumb::Value;

namespace {

plumb::Prompt question(int id, const char* category, std::vector<std::string> turns, Value::List reference = {}) {
  Value::List list(turns.begin(), turns.end());
  Value extra = Value::map({{"question_id", id}, {"category", category}, {"turns", std::move(list)}});
  if (!reference.empty()) extra.set("reference", std::move(reference));
  return {"mt-bench-" + std::to_string(id), {{"user", turns[0]}}, std::move(extra)};
}

// Two questions of two turns and one of one. Answers name the model and what was asked.
struct Fixture {
  Fixture() {
    context.models_ = {"sft", "dpo"};
    context.baseline_ = "sft";
    context.prompts_ = {question(81, "writing", {"Write.", "Shorter."}),
                        question(111, "math", {"1+1?", "+1?"}, {"2", "3"}), question(141, "stem", {"Why?"})};
    context.reply_ = [this](const std::string& model, const plumb::Prompt& prompt,
                            const plumb::AnswerOptions& options) {
      temperatures[prompt.id] = options.temperature;
      last_prompts[model + " " + prompt.id] = prompt.messages;
      return model + " says " + prompt.messages.back().content;
    };
  }
  plumb::Evaluation evaluate(plumb::Judge& judge, Value params = Value::map()) {
    context.judge_ = &judge;
    auto evaluation = plugin.make<plumb::Evaluator>("mt-bench", params)->evaluate(context);
    for (const auto& metric : evaluation.metrics) metrics[metric.name] = metric;
    failures = evaluation.failures;
    return evaluation;
  }
  plumb::testing::PluginUnderTest plugin;
  plumb::testing::FixedAnswers context;
  std::map<std::string, double> temperatures;
  std::map<std::string, plumb::Conversation> last_prompts;
  std::map<std::string, plumb::Metric> metrics;
  std::map<std::string, std::int64_t> failures;
};

// A judge that answers with words, as language models do.
class Saying final : public plumb::Judge {
 public:
  explicit Saying(std::function<std::string(const JudgeRequest&)> say) : say_(std::move(say)) {}
  [[nodiscard]] plumb::Judgement judge(const JudgeRequest& request) override {
    asked[request.id] = request;
    plumb::Judgement judgement;
    judgement.text = say_(request);
    judgement.prompt_tokens = 100;
    judgement.completion_tokens = 7;
    return judgement;
  }
  std::map<std::string, JudgeRequest> asked;

 private:
  std::function<std::string(const JudgeRequest&)> say_;
};

std::string rating_of(const std::string& id) {
  static const std::map<std::string, std::string> ratings{
      {"sft/81/1", "[[4]]"},  {"sft/81/2", "[[2]]"}, {"sft/111/1", "[[6]]"},  {"sft/111/2", "[[5]]"},
      {"sft/141/1", "[[1]]"}, {"dpo/81/1", "[[8]]"}, {"dpo/81/2", "[[7.5]]"}, {"dpo/111/1", "[[6]]"},
      {"dpo/111/2", "so so"}, {"dpo/141/1", "[[3]]"}};
  return ratings.at(id);
}

std::filesystem::path shared() {
  const char* from = std::getenv("PLUMB_SHARED");
  return std::filesystem::path(from != nullptr ? from : PLUMB_SOURCE_DIR "/../shared") / "data" / "mt-bench";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(mt_bench)

BOOST_AUTO_TEST_CASE(means_by_turn_and_category_with_the_failures_beside_them) {
  Fixture f;
  Saying judge([](const JudgeRequest& request) { return rating_of(request.id); });
  const auto evaluation = f.evaluate(judge, Value::map({{"tolerated_failures", 0.1}}));
  const auto tolerance = boost::test_tools::tolerance(1e-12);
  BOOST_TEST(f.metrics.at("mt-bench/sft/mean").value == 18.0 / 5, tolerance);
  BOOST_TEST(f.failures.at("mt-bench/sft/mean") == 0);
  BOOST_TEST(f.metrics.at("mt-bench/sft/turn_1").value == 11.0 / 3, tolerance);
  BOOST_TEST(f.metrics.at("mt-bench/sft/turn_2").value == 3.5, tolerance);
  BOOST_TEST(f.metrics.at("mt-bench/sft/category/math").value == 5.5, tolerance);
  BOOST_TEST(f.metrics.at("mt-bench/dpo/mean").value == 24.5 / 4, tolerance);
  BOOST_TEST(f.failures.at("mt-bench/dpo/mean") == 1);
  BOOST_TEST(f.failures.at("mt-bench/dpo/turn_1") == 0);
  BOOST_TEST(f.failures.at("mt-bench/dpo/turn_2") == 1);
  BOOST_TEST(f.metrics.at("mt-bench/dpo/turn_2").value == 7.5, tolerance);
  BOOST_TEST(f.failures.at("mt-bench/dpo/category/math") == 1);
  // By question 7.75 − 3, 6 − 5.5, 3 − 1.
  BOOST_TEST(f.metrics.at("mt-bench/dpo/difference").value == 7.25 / 3, tolerance);
  BOOST_TEST(f.failures.at("mt-bench/dpo/difference") == 1);
  // Over the questions' means 3, 5.5 and 1: their deviation is sqrt(61/12).
  BOOST_TEST(f.metrics.at("mt-bench/sft/mean").standard_error.value() == std::sqrt(61.0 / 12 / 3), tolerance);
  BOOST_TEST(f.metrics.at("mt-bench judge tokens read").value == 1000);
  BOOST_TEST(f.metrics.at("mt-bench judge tokens written").value == 70);
  // A row a turn: those of a question's second turn say the same for every model, the question counts once.
  BOOST_REQUIRE(evaluation.answers.size() == 10U);
  const auto& first = evaluation.answers[0];
  const auto& second = evaluation.answers[1];
  BOOST_TEST(first.prompt_id == "mt-bench-81");
  BOOST_TEST(first.scores.at("mt-bench") == 3.0);
  BOOST_TEST(first.scores.at("mt-bench turn 1") == 4.0);
  BOOST_TEST(second.prompt_id == "mt-bench-81/2");
  BOOST_TEST(second.scores.at("mt-bench turn 2") == 2.0);
  BOOST_TEST(second.scores.size() == 1U);
  BOOST_TEST((second.prompt == plumb::Conversation{{"user", "Write."}, {"user", "Shorter."}}));
  const auto& failed = evaluation.answers[8];
  BOOST_TEST(failed.prompt_id == "mt-bench-111/2");
  BOOST_TEST(failed.scores.empty());
  BOOST_TEST(failed.extra.at("judgment").as_string() == "so so");
  BOOST_TEST(!failed.extra.at("failure").as_string().empty());
}

BOOST_AUTO_TEST_CASE(too_many_failures_end_the_evaluation_and_the_first_is_named) {
  Fixture f;
  Saying judge([](const JudgeRequest& request) { return rating_of(request.id); });
  BOOST_CHECK_EXCEPTION(f.evaluate(judge), plumb::Error, [](const plumb::Error& error) {
    return std::string(error.what()).find("1 of 10 judgements failed; the first: the judge's answer holds no rating") ==
           0;
  });
  Saying absurd([](const JudgeRequest&) { return "[[11]]"; });
  BOOST_CHECK_THROW(f.evaluate(absurd, Value::map({{"tolerated_failures", 1.0}})), plumb::Error);
}

BOOST_AUTO_TEST_CASE(the_second_turn_sees_the_first_and_temperatures_go_by_category) {
  Fixture f;
  Saying judge([](const JudgeRequest&) { return "[[5]]"; });
  f.context.options_.temperature = 0.4;
  f.context.reply_ = [&f](const std::string& model, const plumb::Prompt& prompt, const plumb::AnswerOptions& options) {
    f.temperatures[prompt.id] = options.temperature;
    f.last_prompts[model + " " + prompt.id] = prompt.messages;
    return prompt.id == "mt-bench-111" ? std::string(" \n") : "answer to " + prompt.messages.back().content;
  };
  f.evaluate(judge, Value::map({{"temperatures", Value::map({{"writing", 0.7}, {"math", 0.0}})}}));
  const plumb::Conversation seen{{"user", "Write."}, {"assistant", "answer to Write."}, {"user", "Shorter."}};
  BOOST_TEST((f.last_prompts.at("dpo mt-bench-81/2") == seen));
  BOOST_TEST(f.last_prompts.at("dpo mt-bench-111/2")[1].content == "(no answer)");
  BOOST_TEST(f.temperatures.at("mt-bench-81/2") == 0.7);
  BOOST_TEST(f.temperatures.at("mt-bench-111") == 0.0);
  BOOST_TEST(f.temperatures.at("mt-bench-141") == 0.4);
  BOOST_TEST((judge.asked.at("sft/81/2").prompt.messages == seen));
  BOOST_TEST(judge.asked.at("sft/81/2").answer == "answer to Shorter.");
  BOOST_TEST(judge.asked.at("sft/111/1").answer == " \n");  // judged as it is
}

BOOST_AUTO_TEST_CASE(references_are_shown_where_they_are_asked_for) {
  Fixture f;
  Saying judge([](const JudgeRequest&) { return "[[5]]"; });
  f.evaluate(judge);
  const auto shown = [&](const char* id) { return judge.asked.at(id).messages.back().content; };
  BOOST_TEST(judge.asked.at("sft/111/2").reference.value() == "3");
  BOOST_TEST(shown("sft/111/1").find("<correct_answer>\n2\n</correct_answer>") != std::string::npos);
  BOOST_TEST(shown("sft/111/2").find("<second>\n3\n</second>") != std::string::npos);
  BOOST_TEST(shown("sft/111/2").find("sft says 1+1?") != std::string::npos);
  BOOST_TEST(!judge.asked.at("sft/81/1").reference.has_value());
  BOOST_TEST(shown("sft/81/1").find("correct_answer") == std::string::npos);
  for (const auto& [id, request] : judge.asked) {
    BOOST_TEST(request.messages.front().content.find("[[4]]") != std::string::npos);
    BOOST_TEST(request.messages.back().content.find("{") == std::string::npos, id);
  }
}

BOOST_AUTO_TEST_CASE(what_an_answer_says_is_not_taken_for_a_place_to_fill) {
  const mt_bench::JudgePrompts prompts("");
  const std::vector<std::string> questions{"{answer}"}, answers{"{question} {ref_answer_1} {"};
  const auto asked = prompts.render({questions, answers, {}});
  BOOST_TEST(
      asked.messages.back().content ==
      "<question>\n{answer}\n</question>\n\n<assistant_answer>\n{question} {ref_answer_1} {\n</assistant_answer>");
}

// FastChat's own reading of its files is sdk's mt_bench_scores, checked there against published numbers.
BOOST_AUTO_TEST_CASE(the_files_are_fastchats_and_hold_the_same_numbers) {
  Fixture f;
  Saying judge([](const JudgeRequest& request) { return rating_of(request.id); });
  const auto evaluation = f.evaluate(judge, Value::map({{"tolerated_failures", 0.1}, {"judge_name", "gpt-4"}}));
  const auto folder = std::filesystem::temp_directory_path() / "plumb_mt_bench_files";
  for (const auto& [name, content] : evaluation.files) {
    std::filesystem::create_directories((folder / name).parent_path());
    std::ofstream(folder / name) << content;
  }
  const auto answers = plumb::read_mt_bench_answers((folder / "mt-bench/model_answer/dpo.jsonl").string());
  BOOST_TEST(answers.at("81").at(1) == "dpo says Shorter.");
  const auto rows = plumb::read_mt_bench_judgments((folder / "mt-bench/model_judgment/gpt-4_single.jsonl").string());
  const auto scores = plumb::mt_bench_scores(rows, {{"81", "writing"}, {"111", "math"}, {"141", "stem"}});
  for (const char* model : {"sft", "dpo"}) {
    const std::string name = std::string("mt-bench/") + model;
    BOOST_TEST(scores.at(model).average == f.metrics.at(name + "/mean").value);
    BOOST_TEST(scores.at(model).turn_2 == f.metrics.at(name + "/turn_2").value);
    BOOST_TEST(scores.at(model).failed == static_cast<std::size_t>(f.failures.at(name + "/mean")));
    BOOST_TEST(scores.at(model).categories.at("math") == f.metrics.at(name + "/category/math").value);
  }
}

BOOST_AUTO_TEST_CASE(prompts_that_are_no_questions_and_missing_judges_are_refused) {
  Fixture f;
  BOOST_CHECK_THROW(f.plugin.make<plumb::Evaluator>("mt-bench")->evaluate(f.context), plumb::Error);  // no judge
  Saying judge([](const JudgeRequest&) { return "[[5]]"; });
  f.context.prompts_ = {{"p", {{"user", "hello"}}, {}}};
  BOOST_CHECK_THROW(f.evaluate(judge), plumb::Error);
  BOOST_CHECK_THROW(
      f.plugin.make<plumb::Evaluator>("mt-bench", Value::map({{"temperatures", Value::map({{"math", -1}})}})),
      plumb::Error);
}

// The recorded judgments hold the prompts that FastChat sent to GPT-4.
BOOST_AUTO_TEST_CASE(fastchats_templates_render_to_the_prompts_fastchat_sent) {
  if (!std::filesystem::exists(shared())) {
    BOOST_TEST_MESSAGE("skipped: " << shared() << " is not here");
    return;
  }
  const auto file = [](const char* name) { return (shared() / name).string(); };
  const mt_bench::JudgePrompts prompts(file("judge_prompts.jsonl"));
  const auto answers = plumb::read_mt_bench_answers(file("model_answer/mistral-orpo-trl.jsonl"));
  const auto references = plumb::read_mt_bench_answers(file("reference_answer/gpt-4.jsonl"));
  std::vector<plumb::Prompt> asked;
  plumb::JsonRows rows(file("question.jsonl"));
  while (auto row = rows.next()) asked.push_back({"", {}, *row});
  std::map<std::string, mt_bench::Question> questions;
  for (auto& found : mt_bench::read_questions(asked, references, {"math", "reasoning", "coding"}))
    questions[found.id] = found;
  std::size_t compared = 0;
  for (const auto& recorded : plumb::read_mt_bench_judgments(file("model_judgment/gpt-4_single.jsonl"))) {
    if (recorded.model != "mistral-orpo-trl") continue;
    const auto& q = questions.at(recorded.question_id);
    const auto rendered = prompts.render(
        {q.turns, std::span(answers.at(q.id)).first(static_cast<std::size_t>(recorded.turn)), q.references});
    BOOST_TEST(rendered.name == recorded.judge_template);
    BOOST_TEST(rendered.messages.back().content == recorded.user_prompt,
               recorded.question_id << " turn " << recorded.turn);
    ++compared;
  }
  BOOST_TEST(compared == 160U);
}

BOOST_AUTO_TEST_SUITE_END()
