#include <plumb/reward_model.h>
#include <plumb/testing.h>
#include <plumb/testing_checks.h>

int main() {
  plumb::testing::Checks check;
  plumb::testing::PluginUnderTest plugin;
  const auto model = plugin.make<plumb::RewardModel>("rule-reward");
  const auto rate = [&](const std::string& question, const std::string& answer) {
    auto group = plumb::testing::scored_group("p", {0});
    group.prompt.messages = {{"user", question}};
    group.responses[0].text = answer;
    return model->score(std::span(&group, 1)).at(0).at(0);
  };

  check.near(rate("Give me three fruits.", "plum, pear, apple"), 1, 1e-12, "three of three");
  check.near(rate("give me three fruits", "Plum and pear and plum"), 1 - 0.2, 1e-12, "three words, two said twice");
  check.near(rate("name two", "plum"), 0, 1e-12, "one of two");
  check.near(rate("name a colour", "red"), 1, 1e-12, "no number asks for one");
  check.near(rate("name five", ""), -4, 1e-12, "nothing");
  return check.status();
}
