#include <plumb/testing.h>
#include <plumb/testing_checks.h>
#include <plumb/testing_stage.h>

int main() {
  plumb::testing::Checks check;
  plumb::testing::PluginUnderTest plugin;
  const auto stage = plugin.make<plumb::Stage>(
      "filter-responses",
      plumb::Value::map({{"responses", "answers"}, {"forbidden", plumb::Value::list({"As an AI"})}, {"min_words", 2}}));
  auto kept = plumb::testing::scored_group("kept", {1, 2, 3, 4});
  const std::vector<std::string> texts{"a plum", "As an AI I like plums", "pear", "two pears"};
  for (std::size_t i = 0; i < texts.size(); ++i) kept.responses[i].text = texts[i];
  auto gone = plumb::testing::scored_group("gone", {1, 2});
  gone.responses[0].text = "only one";

  std::filesystem::remove_all("scratch");
  plumb::testing::StageBench bench("scratch", {.output_type = "scored"});
  bench.give("responses", "answers", "scored", {kept, gone});
  stage->run(bench);
  check.equal(bench.rows().size(), 1U, "prompts with two answers left");
  const plumb::Value row = plumb::parse_json(bench.rows().at(0));
  const auto& responses = row.at("responses").as_list();
  check.equal(responses.size(), 2U, "answers of it");
  check.equal(responses.at(0).at("text").as_string(), "a plum", "the first");
  check.near(responses.at(1).at("reward").as_double(), 4, 0, "the reward of the other");
  check.equal(bench.left_out().at(0).count, 3, "answers left out");
  check.equal(bench.left_out().at(1).count, 1, "prompts left out");
  check.that(!stage->estimate({}).disk_bytes, "no estimate without rows");
  check.equal(*stage->estimate({{{"responses", 10}}}).disk_bytes, 10U * 32768, "bytes of ten prompts");
  return check.status();
}
