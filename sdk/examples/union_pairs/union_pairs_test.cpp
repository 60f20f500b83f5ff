#include <plumb/testing.h>
#include <plumb/testing_checks.h>
#include <plumb/testing_stage.h>

using plumb::PairedGroup;

namespace {

PairedGroup row(const std::string& prompt, const std::vector<std::string>& texts, int chosen, int rejected) {
  PairedGroup out{plumb::testing::scored_group(prompt, {}), {{prompt, chosen, rejected, 2.0, 1.0, 1.0}}};
  for (const std::string& text : texts) out.group.responses.push_back({.text = text, .reward = 1.0});
  return out;
}

}  // namespace

int main() {
  plumb::testing::Checks check;
  plumb::testing::PluginUnderTest plugin;
  const auto stage =
      plugin.make<plumb::Stage>("union-pairs", plumb::Value::map({{"pairs", plumb::Value::list({"one", "two"})}}));
  std::filesystem::remove_all("scratch");
  plumb::testing::StageBench bench("scratch", {.output_type = "pairs"});
  bench.give("pairs", "one", "pairs", {row("a", {"plum", "pear"}, 0, 1), row("b", {"fig", "oak"}, 0, 1)});
  // The second round has another answer of prompt a, prefers it to plum, and repeats the pair of b in another order.
  bench.give("pairs", "two", "pairs", {row("a", {"plum", "apple"}, 1, 0), row("b", {"oak", "fig"}, 1, 0)});
  stage->run(bench);
  check.equal(bench.rows().size(), 2U, "each prompt once");
  const plumb::Value first = plumb::parse_json(bench.rows().at(0));
  check.equal(first.at("group").at("responses").as_list().size(), 3U, "answers to prompt a: plum, pear, apple");
  const auto& pairs = first.at("pairs").as_list();
  check.equal(pairs.size(), 2U, "pairs of prompt a");
  check.equal(pairs.at(1).at("chosen_index").as_int(), 2, "apple is the third answer");
  check.equal(pairs.at(1).at("rejected_index").as_int(), 0, "plum is the first");
  check.equal(plumb::parse_json(bench.rows().at(1)).at("pairs").as_list().size(), 1U, "pairs of prompt b");
  check.equal(bench.left_out().at(0).count, 1, "pairs that were there already");
  return check.status();
}
