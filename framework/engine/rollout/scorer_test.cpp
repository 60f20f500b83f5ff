#include "framework/engine/rollout/scorer.h"

#include <ATen/core/Tensor.h>

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "framework/engine/modeling/grouped_forward.h"
#include "framework/engine/rollout/random_models.h"
#include "plumb/error.h"

namespace plumb {
namespace {

LanguageModel random_reward_model(Host& host) {
  LanguageModel model = test::random_policy(host, 6);
  add_reward_head(model, Random(8));
  return model;
}

ResponseGroup group_of(const std::string& id, const std::string& question, std::vector<std::string> answers) {
  ResponseGroup group;
  group.prompt = {id, {{"user", question}}, {}};
  group.prompt_ids = {99, 98};  // the policy's own ids, which mean nothing here
  for (std::string& answer : answers) group.responses.push_back({std::move(answer), {97}, FinishReason::stop, {}});
  return group;
}

// One sequence by itself: the head on the last token of prompt, answer and EOS.
double plain_reward(LanguageModel& model, const ResponseGroup& group, const std::string& answer) {
  SequenceGroup one;
  one.prompt = model.chat_format->render_prompt(*model.tokenizer, group.prompt.messages).value();
  std::vector<TokenId> ids = model.tokenizer->encode(answer, true);
  ids.push_back(1);
  one.completions.push_back(ids);
  return completion_rewards(model, {&one, 1}, {.share_prompt = false}).item<double>();
}

BOOST_AUTO_TEST_SUITE(scorer)

BOOST_AUTO_TEST_CASE(rewards_equal_those_of_separate_sequences) {
  testing::FakeHost host;
  LanguageModel model = random_reward_model(host);
  const std::vector<ResponseGroup> groups{
      group_of("a", "name a fruit", {"apple", "a long answer with pears", "apple", ""}),
      group_of("none", "nothing was said", {}),
      group_of("b", "hi", {"x", "zzzz", "?"}),
      group_of("c", "and a much longer question than before", {"yes", "no"}),
  };
  for (const std::int64_t batch_tokens : {1, 60, 8192}) {
    for (const bool share : {true, false}) {
      const auto rewards = score_groups(model, groups, {.batch_tokens = batch_tokens, .share_prompt = share}, host);
      BOOST_TEST_REQUIRE(rewards.size() == groups.size());
      for (std::size_t i = 0; i < groups.size(); ++i) {
        BOOST_TEST_REQUIRE(rewards[i].size() == groups[i].responses.size());
        for (std::size_t r = 0; r < rewards[i].size(); ++r) {
          const double want = plain_reward(model, groups[i], groups[i].responses[r].text);
          BOOST_TEST(std::abs(rewards[i][r] - want) < 1e-5);
        }
      }
      BOOST_TEST(rewards[0][0] == rewards[0][2]);  // to the bit: the same answer
      BOOST_TEST(rewards[0][0] != rewards[0][1]);
    }
  }
}

BOOST_AUTO_TEST_CASE(what_cannot_be_scored_is_named) {
  testing::FakeHost host;
  LanguageModel model = random_reward_model(host);
  const auto error_of = [&](LanguageModel& with, const ResponseGroup& group) -> std::string {
    try {
      static_cast<void>(score_groups(with, {&group, 1}, {}, host));
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const std::string error = error_of(model, group_of("long-one", "hi", {std::string(100, 'a')}));
  BOOST_TEST(error.find("long-one") != std::string::npos, error);
  LanguageModel policy = test::random_policy(host);
  BOOST_TEST(error_of(policy, group_of("a", "hi", {"x"})).find("no reward head") != std::string::npos);
}

// The model reads 96 tokens. A prompt in the chat format `plain` and an answer of a token a character with EOS; BOS
// comes first and stays.
BOOST_AUTO_TEST_CASE(what_is_too_long_is_measured_and_its_end_is_read) {
  testing::FakeHost host;
  LanguageModel model = random_reward_model(host);
  const auto prompt = model.chat_format->render_prompt(*model.tokenizer, {{"user", "hi"}}).value();
  BOOST_TEST_REQUIRE(prompt.front() == 0);
  const std::size_t room = 96 - prompt.size() - 1;
  const std::string fits(room, 'a'), over = std::string(4, 'b') + std::string(room, 'c'), alone(200, 'd');
  const std::vector<ResponseGroup> groups{group_of("x", "hi", {"short", over, fits, alone, over}),
                                          group_of("y", "hi", {alone})};
  const auto excess = score_excess(model, groups, host);
  BOOST_TEST((excess == std::vector<std::vector<std::int64_t>>{{0, 4, 0, static_cast<std::int64_t>(200 - room), 4},
                                                               {static_cast<std::int64_t>(200 - room)}}));
  // By hand: BOS, then the last 95 tokens of what follows it.
  const auto wanted = [&](const std::string& answer) {
    std::vector<TokenId> ids(prompt.begin() + 1, prompt.end());
    const auto more = model.tokenizer->encode(answer, true);
    ids.insert(ids.end(), more.begin(), more.end());
    ids.push_back(1);
    SequenceGroup one{{0}, {{ids.end() - 95, ids.end()}}};
    return completion_rewards(model, {&one, 1}, {.share_prompt = false}).item<double>();
  };
  for (const std::int64_t batch_tokens : {1, 8192}) {
    const auto rewards = score_groups(model, groups, {.batch_tokens = batch_tokens, .truncate_left = true}, host);
    BOOST_TEST(std::abs(rewards[0][0] - plain_reward(model, groups[0], "short")) < 1e-5);
    BOOST_TEST(std::abs(rewards[0][1] - wanted(over)) < 1e-5);
    BOOST_TEST(std::abs(rewards[0][2] - plain_reward(model, groups[0], fits)) < 1e-5);
    BOOST_TEST(std::abs(rewards[0][3] - wanted(alone)) < 1e-5);
    BOOST_TEST(rewards[0][4] == rewards[0][1]);
    BOOST_TEST(std::abs(rewards[1][0] - wanted(alone)) < 1e-5);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace plumb
