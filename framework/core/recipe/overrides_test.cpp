#include "framework/core/recipe/overrides.h"

#include <boost/test/unit_test.hpp>

#include "framework/core/recipe/yaml.h"

using plumb::Mark;
using plumb::Problem;
using plumb::Value;

namespace {

const char* const kRecipe = R"(name: demo
models:
  base: {architecture: llama2, config: {hidden_size: 8, rope: {theta: 10000.0}}}
stages:
  sft: {stage: sft, model: base, data: demos}
  pairs: {stage: select, scored: rewards, policy: reward-gap}
  gold: {stage: evaluate, models: [sft, base], prompts: p, evaluators: [judge-score, {name: win, samples: 2}]}
)";

Value tree() {
  return plumb::parse_yaml(kRecipe).value;
}

Value with(const std::string& option) {
  Value root = tree();
  std::vector<Problem> problems;
  plumb::apply_override(root, option, 3, problems);
  for (const Problem& p : problems) BOOST_ERROR(option + ": " + p.message);
  return root;
}

void refused(const std::string& option, const std::string& part, const std::string& nearest = "") {
  BOOST_TEST_CONTEXT(option) {
    Value root = tree();
    std::vector<Problem> problems;
    plumb::apply_override(root, option, 3, problems);
    BOOST_REQUIRE_EQUAL(problems.size(), 1U);
    BOOST_TEST((problems[0].mark == Mark{0, 3}));
    BOOST_TEST(problems[0].message.find(part) != std::string::npos, problems[0].message);
    BOOST_TEST(problems[0].nearest == nearest);
    BOOST_TEST((root == tree()));
  }
}

const Value& stage(const Value& root, const char* name) {
  return root.at("stages").at(name);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(overrides)

BOOST_AUTO_TEST_CASE(values_are_yaml_and_carry_the_number_of_the_option) {
  BOOST_TEST(with("seed=3").at("seed").as_int() == 3);
  BOOST_TEST(with("name=a b").at("name").as_string() == "a b");
  BOOST_TEST(with("name=\"3\"").at("name").as_string() == "3");
  BOOST_TEST(with("plugins=[a, b]").at("plugins").as_list().size() == 2U);
  BOOST_TEST(with("stages.sft.learning_rate=1e-5").at("stages").at("sft").at("learning_rate").as_double() == 1e-5);
  const Value root = with("stages.sft.batch_size=8");
  BOOST_TEST((stage(root, "sft").at("batch_size").mark == Mark{0, 3}));
  BOOST_TEST((stage(root, "sft").at("batch_size").key_mark == Mark{0, 3}));
  BOOST_TEST((stage(root, "sft").at("model").mark == Mark{5, 28}));
  BOOST_TEST(with("name=x=y").at("name").as_string() == "x=y");
}

BOOST_AUTO_TEST_CASE(a_short_component_grows_parameters) {
  const Value root = with("stages.pairs.policy.eta=0.9");
  BOOST_TEST(stage(root, "pairs").at("policy").at("name").as_string() == "reward-gap");
  BOOST_TEST(stage(root, "pairs").at("policy").at("eta").as_double() == 0.9);
  BOOST_TEST((stage(root, "pairs").at("policy").at("name").mark == Mark{6, 51}));
  // Its default is the component when the recipe names none.
  const Value sft = with("stages.sft.optimizer.beta=2");
  BOOST_TEST(stage(sft, "sft").at("optimizer").at("name").as_string() == "sft");
  const Value first = with("stages.gold.evaluators.0.samples=4");
  BOOST_TEST(stage(first, "gold").at("evaluators").as_list()[0].at("name").as_string() == "judge-score");
  const Value second = with("stages.gold.evaluators.1.samples=4");
  BOOST_TEST(stage(second, "gold").at("evaluators").as_list()[1].at("samples").as_int() == 4);
}

BOOST_AUTO_TEST_CASE(lists_nested_maps_and_whole_entries) {
  BOOST_TEST(stage(with("stages.gold.models.1=aligned"), "gold").at("models").as_list()[1].as_string() == "aligned");
  BOOST_TEST(stage(with("stages.gold.evaluators=[x]"), "gold").at("evaluators").as_list().size() == 1U);
  BOOST_TEST(stage(with("stages.sft.lora.r=4"), "sft").at("lora").at("r").as_int() == 4);
  BOOST_TEST(
      with("models.base.config.hidden_size=16").at("models").at("base").at("config").at("hidden_size").as_int() == 16);
  BOOST_TEST(
      with("models.base.config.rope.theta=1").at("models").at("base").at("config").at("rope").at("theta").as_int() ==
      1);
  BOOST_TEST(with("models.base.config.new=1").at("models").at("base").at("config").at("new").as_int() == 1);
  BOOST_TEST(stage(with("stages.pairs={stage: report, of: [sft]}"), "pairs").at("stage").as_string() == "report");
  BOOST_TEST(stage(with("stages.pairs.stage=report"), "pairs").at("stage").as_string() == "report");
}

BOOST_AUTO_TEST_CASE(paths_that_lead_nowhere) {
  refused("sedd=3", "unknown key; allowed: name, base, seed", "seed");
  refused("stages.pair.policy=x", "`pair` does not exist; stages: sft, pairs, gold", "pairs");
  refused("datasets.demos.limit=1", "`demos` does not exist; datasets: none");
  refused("stages.sft.learning_rte=1", "unknown key; allowed: model, data", "learning_rate");
  refused("stages.sft.lora.rnak=1", "unknown key; allowed: r, alpha");
  refused("stages.sft.batch_size.x=1", "is of type integer; there is nothing inside");
  refused("stages.sft.model.x=1", "is of type string; there is nothing inside");
  refused("stages.gold.models.2=x", "its items are 0 to 1");
  refused("stages.gold.models.first=x", "its items are 0 to 1");
  refused("stages.gold.evaluators.7.samples=1", "its items are 0 to 1");
  refused("models.base.config.hiden.x=1", "`hiden` does not exist; allowed: hidden_size, rope");
  refused("name.x=1", "is of type string");
}

BOOST_AUTO_TEST_CASE(options_that_are_no_options) {
  refused("seed", "KEY=VALUE");
  refused("=3", "KEY=VALUE");
  refused("stages..x=3", "KEY=VALUE");
  refused("seed=010", "write 10");
  refused("name=[a", "bracket");
  refused("name=*x", "");
}

BOOST_AUTO_TEST_SUITE_END()
