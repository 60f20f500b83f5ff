#include <plumb/language_models.h>
#include <plumb/reward_model.h>
#include <plumb/testing.h>
#include <boost/test/unit_test.hpp>

namespace {

// Rewards an answer with the length of its text.
struct LengthModels final : plumb::LanguageModels {
  struct Length final : plumb::RewardHandle {
    std::vector<std::vector<double>> score(std::span<const plumb::ResponseGroup> groups) override {
      std::vector<std::vector<double>> out;
      for (const auto& group : groups) {
        out.emplace_back();
        for (const auto& response : group.responses) out.back().push_back(static_cast<double>(response.text.size()));
      }
      return out;
    }
    std::vector<std::vector<std::int64_t>> excess(std::span<const plumb::ResponseGroup> groups) override {
      return std::vector<std::vector<std::int64_t>>(groups.size(), {3});
    }
  };
  std::unique_ptr<plumb::PolicyHandle> open_policy(const std::string&, const plumb::OpenOptions&) override {
    return nullptr;
  }
  std::unique_ptr<plumb::RewardHandle> open_reward(const std::string& at, const plumb::OpenOptions& how) override {
    folder = at;
    options = how;
    return std::make_unique<Length>();
  }
  std::string folder;
  plumb::OpenOptions options;
};

BOOST_AUTO_TEST_SUITE(classifier_head)

BOOST_AUTO_TEST_CASE(scores_with_the_folder_it_was_given) {
  LengthModels models;
  plumb::testing::PluginUnderTest plugin;
  plugin.host.models = &models;
  const auto reward = plugin.make<plumb::RewardModel>(
      "classifier-head", plumb::Value::map({{"path", "/models/rm"}, {"batch_tokens", 512}}));
  BOOST_TEST(models.folder == "/models/rm");
  BOOST_TEST(models.options.batch_tokens == 512);
  BOOST_TEST(models.options.placement.dtype == "float32");
  std::vector<plumb::ResponseGroup> groups(2);
  groups[0].responses.resize(2);
  groups[0].responses[1].text = "abc";
  groups[1].responses.resize(1);
  const auto scores = reward->score(groups);
  BOOST_TEST_REQUIRE(scores.size() == 2U);
  BOOST_TEST(scores[0] == (std::vector<double>{0, 3}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(it_passes_on_how_to_read_and_what_to_do_with_what_is_too_long) {
  using Overlong = plumb::BoundedReward::Overlong;
  for (const auto& [name, wanted] :
       {std::pair{"error", Overlong::error}, {"drop", Overlong::drop}, {"truncate-left", Overlong::truncate_left}}) {
    LengthModels models;
    plumb::testing::PluginUnderTest plugin;
    plugin.host.models = &models;
    const auto reward = plugin.make<plumb::RewardModel>(
        "classifier-head", plumb::Value::map({{"path", "/models/rm"}, {"chat_format", "oasst"}, {"overlong", name}}));
    BOOST_TEST(models.options.chat_format == "oasst");
    BOOST_TEST(models.options.truncate_left == (wanted == Overlong::truncate_left));
    auto* bounded = dynamic_cast<plumb::BoundedReward*>(reward.get());
    BOOST_REQUIRE(bounded != nullptr);
    BOOST_TEST((bounded->overlong() == wanted));
    BOOST_TEST(bounded->excess(std::vector<plumb::ResponseGroup>(1)).at(0).at(0) == 3);
  }
}

BOOST_AUTO_TEST_CASE(a_folder_is_needed) {
  LengthModels models;
  plumb::testing::PluginUnderTest plugin;
  plugin.host.models = &models;
  BOOST_CHECK_THROW(static_cast<void>(plugin.make<plumb::RewardModel>("classifier-head")), plumb::Error);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
