#include <plumb/selection_policy.h>
#include <plumb/testing.h>
#include <plumb/testing_checks.h>

int main() {
  plumb::testing::Checks check;
  plumb::testing::PluginUnderTest plugin;
  auto group = plumb::testing::scored_group("p", {1.0, 1.2, 0.7});
  group.responses[0].text = "one two";
  group.responses[1].text = "one two three four five";
  group.responses[2].text = "one";
  const auto pairs = [&](double lambda, double min_gap) {
    const auto params = plumb::Value::map({{"lambda", lambda}, {"min_gap", min_gap}});
    return plugin.make<plumb::SelectionPolicy>("length-regularised", params)->select(group, plumb::Random(1)).pairs;
  };

  check.that(pairs(0, 0) == std::vector<plumb::PairChoice>{{1, 2}}, "without a price the rewards decide");
  // 1.0 - 0.2, 1.2 - 0.5, 0.7 - 0.1
  check.that(pairs(0.1, 0) == std::vector<plumb::PairChoice>{{0, 2}}, "a price of 0.1 takes the first from the second");
  check.that(pairs(0.2, 0) == std::vector<plumb::PairChoice>{{0, 1}}, "a price of 0.2 makes the longest the worst");
  check.equal(pairs(0.1, 0.25).size(), 0U, "pairs below the gap");
  group.responses.clear();
  check.equal(pairs(0.1, 0).size(), 0U, "pairs of no answers");
  return check.status();
}
