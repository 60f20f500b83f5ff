#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iterator>

#include "framework/core/artifacts/prompts.h"
#include "framework/core/artifacts/records_file.h"
#include "framework/core/kinds/test_stage.h"

namespace plumb {
namespace {

using test::TestStage;

// Answers whose text tells which prompts were asked together and with which settings: what a real model's last bits
// depend on, made visible.
struct CountingModels final : LanguageModels {
  struct Policy final : PolicyHandle {
    explicit Policy(CountingModels& of) : models(of) {}
    void generate(std::span<const Prompt> prompts, const Sampling& sampling,
                  const std::function<void(std::size_t, ResponseGroup&&)>& done) override {
      ++models.calls;
      models.sampling = sampling;
      for (std::size_t i = prompts.size(); i-- > 0;) {  // in another order than asked
        if (models.stop_after && models.answered == *models.stop_after) {
          *models.cancel = true;
          return;
        }
        ++models.answered;
        ResponseGroup group;
        group.prompt = prompts[i];
        group.prompt_ids = {1, 2};
        for (std::int64_t r = 0; r < sampling.responses - models.forgotten; ++r) {
          Response response{
              prompts[i].id + " with " + prompts.front().id + "…" + prompts.back().id + " #" + std::to_string(r),
              {5, 6, 2},
              FinishReason::stop,
              std::nullopt};
          if (r == 1) response = {"", {2}, FinishReason::stop, std::nullopt};
          if (r == 2 || models.only_cut) response.finish = FinishReason::length;
          group.responses.push_back(std::move(response));
        }
        done(i, std::move(group));
      }
    }
    CountingModels& models;
  };
  std::unique_ptr<PolicyHandle> open_policy(const std::string& at, const OpenOptions&) override {
    folder = at;
    return std::make_unique<Policy>(*this);
  }
  std::unique_ptr<RewardHandle> open_reward(const std::string&, const OpenOptions&) override { return nullptr; }

  std::string folder;
  Sampling sampling;
  std::size_t calls = 0, answered = 0;
  std::int64_t forgotten = 0;
  bool only_cut = false;
  std::optional<std::size_t> stop_after;
  bool* cancel = nullptr;
};

Value params() {
  return Value::map({{"model", "policy"}, {"prompts", "asked"}, {"k", 4}, {"max_new_tokens", 2048}});
}

struct Sampled {
  explicit Sampled(const std::string& type = artifact_type::prompts) : stage(params()) {
    model = stage.add_input("model", "policy", artifact_type::model);
    asked = stage.add_input("prompts", "asked", type);
    stage.models = &models;
    models.cancel = &stage.cancel;
  }
  void ask(std::size_t count) const {
    RowWriter rows(asked / "prompts.jsonl");
    for (std::size_t i = 0; i < count; ++i) {
      rows.write(to_value(Prompt{"p" + std::to_string(i), {{"user", "question"}}, {}}));
    }
  }
  std::string run() {
    run_stage("sample", stage);
    return read_file(stage.folder() / "responses.jsonl").value();
  }
  TestStage stage;
  CountingModels models;
  std::filesystem::path model, asked;
};

BOOST_AUTO_TEST_SUITE(sample_stage)

BOOST_AUTO_TEST_CASE(every_prompt_gets_its_responses_in_order) {
  Sampled sampled;
  sampled.ask(150);
  sampled.run();
  const auto groups = read_groups(sampled.stage.folder() / "responses.jsonl").value();
  BOOST_TEST_REQUIRE(groups.size() == 150U);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    BOOST_TEST(groups[i].prompt.id == "p" + std::to_string(i));
    BOOST_TEST(groups[i].responses.size() == 4U);
    BOOST_TEST(!groups[i].annotation.has_value());
  }
  BOOST_TEST(sampled.models.folder == sampled.model.string());
  BOOST_TEST(sampled.models.sampling.responses == 4);
  BOOST_TEST(sampled.models.sampling.max_new_tokens == 2048);
  BOOST_TEST(sampled.models.sampling.top_k == 50);
  BOOST_TEST(sampled.models.sampling.top_p == 0.98);
  BOOST_TEST(sampled.models.calls > 1U);
  BOOST_TEST(sampled.stage.summary.at("prompts").as_int() == 150);
  BOOST_TEST(sampled.stage.summary.at("responses").as_int() == 600);
  BOOST_TEST(sampled.stage.summary.at("tokens").as_int() == 150 * (3 + 1 + 3 + 3));
  BOOST_TEST(sampled.stage.summary.at("mean_length").as_double() == 2.5);
  BOOST_TEST(sampled.stage.summary.at("truncated").as_double() == 0.25);
  BOOST_TEST(sampled.stage.summary.at("empty").as_double() == 0.25);
  BOOST_TEST(sampled.stage.accounted.line() ==
             "truncated 150 of 600 answers: no end within max_new_tokens 2048; raise max_new_tokens");
  BOOST_TEST(std::none_of(sampled.stage.messages.begin(), sampled.stage.messages.end(), [](const std::string& message) {
    return message.find("every answer") != std::string::npos;
  }));
}

BOOST_AUTO_TEST_CASE(answers_that_are_all_cut_are_a_warning) {
  Sampled sampled;
  sampled.ask(3);
  sampled.models.only_cut = true;
  sampled.run();
  BOOST_TEST(std::any_of(sampled.stage.messages.begin(), sampled.stage.messages.end(), [](const std::string& message) {
    return message.find(
               "every answer is cut: truncated 12 of 12 answers: no end within max_new_tokens 2048; raise "
               "max_new_tokens") != std::string::npos;
  }));
}

// What `dataset … as: prompts` makes of a preference; and a column of that name that is no annotation.
BOOST_AUTO_TEST_CASE(the_prompt_of_a_preference_is_answered_with_its_annotation) {
  Sampled sampled;
  {
    RowWriter rows(sampled.asked / "prompts.jsonl");
    const Preference preference{"q/1", {"q", {{"user", "question"}}, Value::map({{"level", 3}})}, "good", "bad", {}, {},
                                {}};
    rows.write(to_value(annotated_prompt(preference)));
    rows.write(to_value(Prompt{"r", {{"user", "other"}}, Value::map({{"annotation", "by hand"}, {"responses", 7}})}));
  }
  sampled.run();
  const auto groups = read_groups(sampled.stage.folder() / "responses.jsonl").value();
  BOOST_TEST_REQUIRE(groups.size() == 2U);
  BOOST_TEST_REQUIRE(groups[0].annotation.has_value());
  BOOST_TEST((groups[0].annotation->chosen == "good" && groups[0].annotation->rejected == "bad"));
  BOOST_TEST(groups[0].prompt.extra.at("level").as_int() == 3);
  BOOST_TEST(!groups[1].annotation.has_value());
  BOOST_TEST(groups[1].responses.size() == 4U);
}

BOOST_AUTO_TEST_CASE(an_interrupted_file_ends_with_the_same_bytes) {
  std::string whole;
  {
    Sampled sampled;
    sampled.ask(150);
    whole = sampled.run();
  }
  for (const std::size_t stop : {0U, 1U, 63U, 64U, 65U, 149U}) {
    BOOST_TEST_CONTEXT("stopped after " << stop) {
      Sampled sampled;
      sampled.ask(150);
      sampled.models.stop_after = stop;
      BOOST_CHECK_THROW(sampled.run(), Cancelled);
      const auto durable = read_groups(sampled.stage.work_folder() / "responses.jsonl").value().size();
      BOOST_TEST(durable == stop / 64 * 64);
      sampled.models.stop_after.reset();
      sampled.stage.cancel = false;
      BOOST_TEST((sampled.run() == whole));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_torn_write_ends_with_the_same_bytes) {
  Sampled sampled;
  sampled.ask(150);
  const std::string whole = sampled.run();
  for (const double part : {0.001, 0.2, 0.5, 0.77, 1.0}) {
    const auto work = sampled.stage.work_folder() / "responses.jsonl";
    std::ofstream(work, std::ios::binary)
        << whole.substr(0, static_cast<std::size_t>(part * static_cast<double>(whole.size())));
    BOOST_TEST((sampled.run() == whole), part);
  }
}

BOOST_AUTO_TEST_CASE(a_preference_stays_with_its_prompt) {
  Sampled sampled(artifact_type::preferences);
  {
    RowWriter rows(sampled.asked / "preferences.jsonl");
    const Prompt prompt{"q", {{"user", "question"}}, {}};
    rows.write(to_value(Preference{"q", prompt, "good", "bad", {}, {}, {}}));
    rows.write(to_value(Preference{"q", prompt, "fine", "poor", {}, {}, {}}));  // the same prompt again
  }
  sampled.run();
  const auto groups = read_groups(sampled.stage.folder() / "responses.jsonl").value();
  BOOST_TEST_REQUIRE(groups.size() == 1U);
  BOOST_TEST_REQUIRE(groups[0].annotation.has_value());
  BOOST_TEST(groups[0].annotation->chosen == "good");
  BOOST_TEST(sampled.stage.accounted.lines().back() ==
             "merged 1 of 2 rows: the same prompt came before; of its preferences the first is kept as annotation; "
             "a dataset with count_by: prompts counts each prompt once");
}

BOOST_AUTO_TEST_CASE(a_demonstration_is_asked_without_its_answer) {
  Sampled sampled(artifact_type::demonstrations);
  {
    RowWriter rows(sampled.asked / "demonstrations.jsonl");
    rows.write(
        to_value(Demonstration{"d", {{"user", "a"}, {"assistant", "b"}, {"user", "c"}, {"assistant", "d"}}, {}}));
  }
  sampled.run();
  const auto groups = read_groups(sampled.stage.folder() / "responses.jsonl").value();
  BOOST_TEST_REQUIRE(groups.size() == 1U);
  BOOST_TEST((groups[0].prompt.messages == Conversation{{"user", "a"}, {"assistant", "b"}, {"user", "c"}}));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_sampled_is_refused) {
  const auto code_of = [](Sampled& sampled) {
    try {
      sampled.run();
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::interrupted;
  };
  Sampled none;
  none.ask(0);
  BOOST_TEST((code_of(none) == ErrorCode::data));
  Sampled short_of;
  short_of.ask(3);
  short_of.models.forgotten = 1;
  BOOST_TEST((code_of(short_of) == ErrorCode::plugin));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace plumb
