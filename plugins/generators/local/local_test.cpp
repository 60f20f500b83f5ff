#include <plumb/generator.h>
#include <plumb/language_models.h>
#include <plumb/testing.h>
#include <boost/test/unit_test.hpp>

namespace {

// Answers with the prompt's own text and remembers what it was opened with.
struct EchoModels final : plumb::LanguageModels {
  struct Echo final : plumb::PolicyHandle {
    void generate(std::span<const plumb::Prompt> prompts, const plumb::Sampling& sampling,
                  const std::function<void(std::size_t, plumb::ResponseGroup&&)>& done) override {
      for (std::size_t i = 0; i < prompts.size(); ++i) {
        plumb::ResponseGroup group;
        group.prompt = prompts[i];
        group.responses.resize(static_cast<std::size_t>(sampling.responses));
        for (auto& response : group.responses) response.text = prompts[i].messages[0].content;
        done(i, std::move(group));
      }
    }
  };
  std::unique_ptr<plumb::PolicyHandle> open_policy(const std::string& at, const plumb::OpenOptions& how) override {
    folder = at;
    options = how;
    return std::make_unique<Echo>();
  }
  std::unique_ptr<plumb::RewardHandle> open_reward(const std::string&, const plumb::OpenOptions&) override {
    return nullptr;
  }
  std::string folder;
  plumb::OpenOptions options;
};

BOOST_AUTO_TEST_SUITE(local)

BOOST_AUTO_TEST_CASE(samples_from_the_folder_it_was_given) {
  EchoModels models;
  plumb::testing::PluginUnderTest plugin;
  plugin.host.models = &models;
  const auto generator = plugin.make<plumb::Generator>(
      "local", plumb::Value::map({{"path", "/models/a"}, {"rows", 7}, {"dtype", "bfloat16"}}));
  BOOST_TEST(models.folder == "/models/a");
  BOOST_TEST(models.options.rows == 7);
  BOOST_TEST(models.options.placement.dtype == "bfloat16");
  const std::vector<plumb::Prompt> prompts{{"p", {{"user", "hello"}}, {}}};
  std::size_t calls = 0;
  generator->generate(prompts, {.responses = 3}, [&](std::size_t i, plumb::ResponseGroup&& group) {
    BOOST_TEST(i == 0U);
    BOOST_TEST(group.responses.size() == 3U);
    BOOST_TEST(group.responses[2].text == "hello");
    ++calls;
  });
  BOOST_TEST(calls == 1U);
}

BOOST_AUTO_TEST_CASE(says_what_is_missing) {
  plumb::testing::PluginUnderTest plugin;
  const auto code_of = [&](const plumb::Value& params) {
    try {
      static_cast<void>(plugin.make<plumb::Generator>("local", params));
    } catch (const plumb::Error& error) {
      return error.code();
    }
    return plumb::ErrorCode::interrupted;
  };
  BOOST_TEST((code_of(plumb::Value::map({{"path", "/models/a"}})) == plumb::ErrorCode::run_failed));
  EchoModels models;
  plugin.host.models = &models;
  BOOST_TEST((code_of(plumb::Value::map()) == plumb::ErrorCode::recipe));
  BOOST_TEST((code_of(plumb::Value::map({{"path", "/models/a"}, {"dtype", "float8"}})) == plumb::ErrorCode::recipe));
  BOOST_TEST((code_of(plumb::Value::map({{"path", "/models/a"}, {"rows", 0}})) == plumb::ErrorCode::recipe));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
