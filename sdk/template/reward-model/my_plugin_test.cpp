#include <plumb/reward_model.h>
#include <plumb/testing.h>
#include <plumb/testing_checks.h>

int main() {
  plumb::testing::Checks check;
  plumb::testing::PluginUnderTest plugin;
  const auto model = plugin.make<plumb::RewardModel>("my-plugin", plumb::Value::map({{"wanted", 2}}));

  std::vector<plumb::ResponseGroup> groups{plumb::testing::scored_group("p", {0, 0, 0}),
                                           plumb::testing::scored_group("q", {})};
  groups[0].responses[0].text = "two words";
  groups[0].responses[1].text = "three words here";
  groups[0].responses[2].text = "";
  const auto rewards = model->score(groups);
  check.equal(rewards.size(), 2U, "groups");
  check.equal(rewards.at(1).size(), 0U, "rewards of no answers");
  check.near(rewards.at(0).at(0), 1, 1e-12, "the wanted length");
  check.near(rewards.at(0).at(1), 0.5, 1e-12, "one word more");
  check.near(rewards.at(0).at(2), 0, 1e-12, "nothing");
  check.throws(
      plumb::ErrorCode::recipe,
      [&] {
        plugin.make<plumb::RewardModel>("my-plugin", plumb::Value::map({{"wanted", 0}}));
      },
      "a length of 0");
  return check.status();
}
