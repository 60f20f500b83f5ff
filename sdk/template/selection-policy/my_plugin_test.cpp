#include <plumb/selection_policy.h>
#include <plumb/testing.h>
#include <plumb/testing_checks.h>

int main() {
  plumb::testing::Checks check;
  plumb::testing::PluginUnderTest plugin;
  const auto policy = plugin.make<plumb::SelectionPolicy>("my-plugin", plumb::Value::map({{"min_gap", 2.0}}));
  const auto pairs = [&](std::initializer_list<double> rewards) {
    return policy->select(plumb::testing::scored_group("p", rewards), plumb::Random(1)).pairs;
  };

  check.that(pairs({0.5, 3.0, -1.0}) == std::vector<plumb::PairChoice>{{1, 2}},
             "the best is chosen, the worst rejected");
  check.equal(pairs({0.0, 1.9}).size(), 0U, "pairs below the gap");
  check.equal(pairs({0.0, 2.0}).size(), 1U, "pairs at the gap");
  check.equal(pairs({}).size(), 0U, "pairs of no answers");
  check.throws(
      plumb::ErrorCode::recipe,
      [&] {
        plugin.make<plumb::SelectionPolicy>("my-plugin", plumb::Value::map({{"min_gap", -1}}));
      },
      "a negative gap");
  return check.status();
}
