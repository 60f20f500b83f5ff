#include <plumb/generator.h>
#include <plumb/language_models.h>
#include <plumb/testing.h>
#include <plumb/testing_checks.h>

// A model whose answers tell the temperature and the seed that they were drawn with.
struct TellingModels final : plumb::LanguageModels {
  struct Telling final : plumb::PolicyHandle {
    void generate(std::span<const plumb::Prompt> prompts, const plumb::Sampling& sampling,
                  const std::function<void(std::size_t, plumb::ResponseGroup&&)>& done) override {
      for (std::size_t i = prompts.size(); i-- > 0;) {  // in any order
        plumb::ResponseGroup group;
        group.prompt = prompts[i];
        group.responses.resize(static_cast<std::size_t>(sampling.responses));
        for (auto& response : group.responses) {
          response.text = (sampling.temperature > 1 ? "hot " : "cold ") + std::to_string(sampling.seed);
        }
        done(i, std::move(group));
      }
    }
  };
  std::unique_ptr<plumb::PolicyHandle> open_policy(const std::string&, const plumb::OpenOptions&) override {
    return std::make_unique<Telling>();
  }
  std::unique_ptr<plumb::RewardHandle> open_reward(const std::string&, const plumb::OpenOptions&) override {
    return nullptr;
  }
};

int main() {
  plumb::testing::Checks check;
  TellingModels models;
  plumb::testing::PluginUnderTest plugin;
  plugin.host.models = &models;
  const auto generator =
      plugin.make<plumb::Generator>("my-plugin", plumb::Value::map({{"path", "a-model"}, {"second_temperature", 2.0}}));

  const std::vector<plumb::Prompt> prompts{{"p", {{"user", "?"}}, {}}, {"q", {{"user", "?"}}, {}}};
  std::vector<plumb::ResponseGroup> groups(2);
  generator->generate(prompts, {.responses = 3, .temperature = 1, .seed = 7},
                      [&](std::size_t i, plumb::ResponseGroup&& group) { groups[i] = std::move(group); });
  for (const auto& group : groups) {
    check.equal(group.responses.size(), 3U, "answers to " + group.prompt.id);
    check.equal(group.responses.at(1).text, "cold 7", "the second answer");
    check.equal(group.responses.at(2).text.substr(0, 3), "hot", "the third answer");
    check.that(group.responses.at(2).text != "hot 7", "the second half draws by a seed of its own");
  }
  check.equal(groups[1].prompt.id, "q", "groups are handed out under their prompt's index");
  plugin.host.models = nullptr;
  check.throws(
      plumb::ErrorCode::run_failed, [&] { plugin.make<plumb::Generator>("my-plugin"); }, "a host without models");
  return check.status();
}
