#include "framework/core/evaluation/answers.h"

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "framework/core/artifacts/test_folder.h"
#include "framework/core/catalogue/stage.h"
#include "plumb/testing.h"

namespace plumb {
namespace {

// Answers "MODEL says PROMPT SAMPLE" and rewards by length; stops after a number of prompts when told to.
class Models final : public LanguageModels {
 public:
  class Policy final : public PolicyHandle {
   public:
    Policy(Models& models, std::string folder) : models_(models), folder_(std::move(folder)) {}
    void generate(std::span<const Prompt> prompts, const Sampling& sampling,
                  const std::function<void(std::size_t, ResponseGroup&&)>& done) override {
      models_.sampling = sampling;
      for (std::size_t i = prompts.size(); i-- > 0;) {  // any order
        if (models_.stop_after && models_.generated == *models_.stop_after) return;
        ++models_.generated;
        ResponseGroup group{prompts[i], {}, {}, {}};
        for (std::int64_t s = 0; s < sampling.responses; ++s) {
          const bool cut = folder_ == "d" && s == 1;
          group.responses.push_back({folder_ + " says " + prompts[i].id + " " + std::to_string(s),
                                     {},
                                     cut ? FinishReason::length : FinishReason::stop,
                                     {}});
        }
        done(i, std::move(group));
      }
    }

   private:
    Models& models_;
    std::string folder_;
  };
  class Reward final : public RewardHandle {
   public:
    explicit Reward(Models& models) : models_(models) {}
    std::vector<std::vector<double>> score(std::span<const ResponseGroup> groups) override {
      std::vector<std::vector<double>> rewards;
      for (const ResponseGroup& group : groups) {
        models_.group_sizes.push_back(group.responses.size());
        rewards.emplace_back();
        for (const Response& response : group.responses) {
          rewards.back().push_back(static_cast<double>(response.text.size()) / 3);
        }
      }
      return rewards;
    }

   private:
    Models& models_;
  };

  std::unique_ptr<PolicyHandle> open_policy(const std::string& folder, const OpenOptions&) override {
    if (folder == "absent") throw Error(ErrorCode::data, "no such model");
    ++opened;
    return std::make_unique<Policy>(*this, folder);
  }
  std::unique_ptr<RewardHandle> open_reward(const std::string&, const OpenOptions&) override {
    ++opened;
    return std::make_unique<Reward>(*this);
  }

  int opened = 0;
  int generated = 0;
  std::optional<int> stop_after;
  Sampling sampling;
  std::vector<std::size_t> group_sizes;
};

struct Stage {
  test::Folder folder;
  Models models;
  testing::FakeHost host;

  AnswerSources sources() {
    AnswerSources sources;
    sources.models = {{"sft", "s", "key-of-s"}, {"dpo", "d", "key-of-d"}, {"gone", "absent", "key"}};
    sources.baseline = "sft";
    for (const char* id : {"p0", "p1", "p2", "p3"}) sources.prompts.push_back({id, {{"user", id}}, {}});
    sources.options.samples = 2;
    sources.options.temperature = 0.7;
    sources.reward_model = EvaluatedModel{"rm", "r", "key-of-r"};
    sources.seed = 99;
    sources.cache = folder.path() / "work";
    return sources;
  }
  Answers open() { return {sources(), models, nullptr, host}; }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(answers)

BOOST_AUTO_TEST_CASE(answers_stand_in_the_order_of_the_prompts) {
  Stage stage;
  Answers answers = stage.open();
  const auto texts = answers.answer("dpo", answers.prompts(), answers.options());
  const std::vector<std::string> expected{"d says p0 0", "d says p0 1", "d says p1 0", "d says p1 1",
                                          "d says p2 0", "d says p2 1", "d says p3 0", "d says p3 1"};
  BOOST_TEST(texts == expected, boost::test_tools::per_element());
  BOOST_TEST(stage.models.sampling.temperature == 0.7);
  BOOST_TEST(stage.models.sampling.seed == 99U);
}

// Asked twice, and again by a process that goes on: the answers are the same, and counted once.
BOOST_AUTO_TEST_CASE(cut_answers_are_counted) {
  Stage stage;
  const AnswerSources sources = stage.sources();
  for (int process = 0; process < 2; ++process) {
    Answers answers(sources, stage.models, nullptr, stage.host);
    for (int time = 0; time < 2; ++time) {
      for (const char* model : {"sft", "dpo"}) answers.answer(model, answers.prompts(), answers.options());
    }
    BOOST_TEST(answers.account().line() == "truncated 4 of 8 answers of dpo: no end within max_new_tokens " +
                                               std::to_string(sources.options.max_new_tokens) +
                                               "; raise max_new_tokens");
  }
}

BOOST_AUTO_TEST_CASE(what_was_asked_before_is_not_sampled_again) {
  Stage stage;
  std::vector<std::string> first;
  {
    Answers answers = stage.open();
    first = answers.answer("sft", answers.prompts(), answers.options());
  }
  Answers again = stage.open();
  BOOST_TEST(again.answer("sft", again.prompts(), again.options()) == first, boost::test_tools::per_element());
  BOOST_TEST(stage.models.opened == 1);
  AnswerOptions greedy = again.options();
  greedy.temperature = 0;
  static_cast<void>(again.answer("sft", again.prompts(), greedy));  // another question
  BOOST_TEST(stage.models.opened == 2);
  static_cast<void>(again.answer("sft", std::span(again.prompts()).first(2), again.options()));
  BOOST_TEST(stage.models.opened == 2);  // it is still open
  static_cast<void>(again.answer("dpo", again.prompts(), again.options()));
  BOOST_TEST(stage.models.opened == 3);
}

BOOST_AUTO_TEST_CASE(an_interrupted_evaluation_goes_on_where_it_stopped) {
  Stage stage;
  stage.models.stop_after = 3;
  stage.host.cancel = true;
  {
    Answers answers = stage.open();
    BOOST_CHECK_THROW(answers.answer("sft", answers.prompts(), answers.options()), Cancelled);
    BOOST_CHECK_THROW(answers.rethrow_own_failure(), Cancelled);
  }
  // A torn last line, as a killed process leaves it.
  for (const auto& entry : std::filesystem::directory_iterator(stage.folder.path() / "work" / "answers")) {
    std::ofstream(entry.path(), std::ios::app) << R"({"position":0,"val)";
  }
  stage.models.stop_after.reset();
  stage.host.cancel = false;
  Answers answers = stage.open();
  const auto texts = answers.answer("sft", answers.prompts(), answers.options());
  BOOST_TEST(texts.size() == 8U);
  BOOST_TEST(texts[0] == "s says p0 0");
  BOOST_TEST(texts[7] == "s says p3 1");
  BOOST_TEST(stage.models.generated == 4);
}

BOOST_AUTO_TEST_CASE(a_policy_that_stops_by_itself_is_an_error) {
  Stage stage;
  stage.models.stop_after = 3;
  Answers answers = stage.open();
  BOOST_CHECK_EXCEPTION(answers.answer("sft", answers.prompts(), answers.options()), Error, [](const Error& error) {
    return std::string(error.what()) == "model sft answered 3 of 4 prompts";
  });
}

BOOST_AUTO_TEST_CASE(rewards_group_the_answers_of_a_prompt_and_are_kept) {
  Stage stage;
  const auto sources = stage.sources();
  const std::vector<Prompt> asked{sources.prompts[0], sources.prompts[0], sources.prompts[1]};
  const std::vector<std::string> texts{"a", "bb", "cccc"};
  for (int attempt = 0; attempt < 2; ++attempt) {
    Answers answers = stage.open();
    const std::vector<double> rewards = answers.reward(asked, texts);
    const std::vector<double> expected{1.0 / 3, 2.0 / 3, 4.0 / 3};
    BOOST_TEST(rewards == expected, boost::test_tools::per_element());
  }
  const std::vector<std::size_t> sizes{2, 1};
  BOOST_TEST(stage.models.group_sizes == sizes, boost::test_tools::per_element());
  BOOST_TEST(stage.models.opened == 1);
}

BOOST_AUTO_TEST_CASE(wrong_questions_are_refused) {
  Stage stage;
  Answers answers = stage.open();
  BOOST_CHECK_THROW(answers.answer("ppo", answers.prompts(), answers.options()), Error);
  BOOST_CHECK_THROW(answers.answer("gone", answers.prompts(), answers.options()), Error);
  BOOST_CHECK_EXCEPTION(answers.rethrow_own_failure(), Error,
                        [](const Error& error) { return error.code() == ErrorCode::data; });
  BOOST_CHECK_THROW(answers.reward(answers.prompts(), std::vector<std::string>{"one"}), Error);

  AnswerSources sources = stage.sources();
  sources.reward_model.reset();
  Answers without(sources, stage.models, nullptr, stage.host);
  BOOST_CHECK_EXCEPTION(without.reward({}, {}), Error,
                        [](const Error& error) { return error.code() == ErrorCode::recipe; });
  sources.baseline = "ppo";
  BOOST_CHECK_THROW(Answers(sources, stage.models, nullptr, stage.host), Error);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace plumb
