#include <plumb/judge.h>
#include <plumb/language_models.h>
#include <plumb/testing.h>
#include <boost/test/unit_test.hpp>

namespace {

// Rewards an answer by its length.
class LengthModels final : public plumb::LanguageModels {
  class Handle final : public plumb::RewardHandle {
    std::vector<std::vector<double>> score(std::span<const plumb::ResponseGroup> groups) override {
      std::vector<std::vector<double>> all;
      for (const auto& group : groups) {
        auto& row = all.emplace_back();
        for (const auto& response : group.responses) row.push_back(static_cast<double>(response.text.size()));
      }
      return all;
    }
    std::vector<std::vector<std::int64_t>> excess(std::span<const plumb::ResponseGroup> groups) override {
      std::vector<std::vector<std::int64_t>> all;  // reads ten bytes
      for (const auto& group : groups) {
        auto& row = all.emplace_back();
        for (const auto& response : group.responses) {
          row.push_back(std::max<std::int64_t>(0, static_cast<std::int64_t>(response.text.size()) - 10));
        }
      }
      return all;
    }
  };
  std::unique_ptr<plumb::PolicyHandle> open_policy(const std::string&, const plumb::OpenOptions&) override {
    return nullptr;
  }
  std::unique_ptr<plumb::RewardHandle> open_reward(const std::string&, const plumb::OpenOptions&) override {
    return std::make_unique<Handle>();
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(reward_judge)

BOOST_AUTO_TEST_CASE(the_higher_reward_wins) {
  plumb::testing::PluginUnderTest plugin;
  LengthModels models;
  plugin.host.models = &models;
  auto judge = plugin.make<plumb::Judge>("reward-judge", plumb::Value::map({{"path", "."}}));
  plumb::JudgeRequest request;
  request.answer = "longer";
  BOOST_TEST(judge->judge(request).score.value() == 6.0);
  request.other = "short";
  BOOST_TEST(judge->judge(request).preference.value() == 1.0);
  request.other = "equals";
  BOOST_TEST(judge->judge(request).preference.value() == 0.5);
}

BOOST_AUTO_TEST_CASE(an_answer_that_is_too_long_is_a_failed_judgement_where_it_may_be) {
  plumb::testing::PluginUnderTest plugin;
  LengthModels models;
  plugin.host.models = &models;
  auto judge = plugin.make<plumb::Judge>("reward-judge", plumb::Value::map({{"path", "."}, {"overlong", "drop"}}));
  plumb::JudgeRequest request;
  request.answer = "short";
  request.other = "quite a bit longer";  // 18 bytes
  const plumb::Judgement judged = judge->judge(request);
  BOOST_TEST(!judged.preference.has_value());
  BOOST_TEST(judged.failure == "the answer is 8 tokens too long for the reward model");
  request.other = "fits";
  BOOST_TEST(judge->judge(request).preference.value() == 1.0);
}

BOOST_AUTO_TEST_CASE(a_host_without_models_is_refused) {
  plumb::testing::PluginUnderTest plugin;
  BOOST_CHECK_THROW(plugin.make<plumb::Judge>("reward-judge", plumb::Value::map({{"path", "."}})), plumb::Error);
}

BOOST_AUTO_TEST_SUITE_END()
