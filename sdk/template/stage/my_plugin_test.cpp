#include <plumb/testing.h>
#include <plumb/testing_checks.h>
#include <plumb/testing_stage.h>

int main() {
  plumb::testing::Checks check;
  plumb::testing::PluginUnderTest plugin;
  const plumb::Value params = plumb::Value::map({{"responses", "rewards"}, {"max_words", 2}});
  const auto stage = plugin.make<plumb::Stage>("my-plugin", params);
  auto group = plumb::testing::scored_group("p", {0.5, 1.5, 2.5});
  group.responses[0].text = "one two";
  group.responses[1].text = "one two three";
  group.responses[2].text = "";

  std::filesystem::remove_all("scratch");
  plumb::testing::StageBench bench("scratch", {.output_type = "scored"});
  bench.give("responses", "rewards", "scored", {group});
  stage->run(bench);
  check.equal(bench.rows().size(), 1U, "prompts");
  check.that(bench.rows().at(0).find("one two three") == std::string::npos, "the long answer is left out");
  check.that(bench.rows().at(0).find("one two") != std::string::npos, "the short one stays");
  check.equal(bench.left_out().at(0).count, 1, "answers that were left out");
  check.equal(bench.summary().at("answers").as_int(), 2, "answers that stay");
  check.throws(
      plumb::ErrorCode::recipe,
      [&] {
        plugin.make<plumb::Stage>("my-plugin", plumb::Value::map({{"responses", "r"}, {"max_words", 0}}));
      },
      "no words");
  return check.status();
}
