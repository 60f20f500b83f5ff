// What plugins' own code says of a recipe, and does to whoever asks, is known before the first stage; and the inputs
// that components name themselves are inputs of their stage.
#include "framework/core/isolation/examination.h"
#include "framework/core/pipeline/plan.h"
#include "framework/core/recipe/plugin_check.h"
#include "tests/plugins/plumb_command.h"

using namespace plumb;
using namespace plumb::test;
namespace fs = std::filesystem;

namespace {

// Everything before `pairs` is sound, and would take its time.
const std::string kIdle = R"(name: idle
datasets:
  demos: {source: {name: requests, records: demonstrations, count: 40}}
  prefs: {source: {name: requests, records: preferences, count: 40}}
  asks: {source: {name: requests, records: prompts, count: 4}}
models:
  base:
    architecture: llama2
    tokenizer: bpe
    chat_format: plain
    config: {hidden_size: 8, intermediate_size: 16, num_hidden_layers: 1, num_attention_heads: 2}
stages:
  bpe: {stage: tokenizer, data: demos, vocabulary_size: 300}
  reward: {stage: reward_model, model: base, data: prefs}
  answers: {stage: sample, model: base, prompts: asks, k: 2}
  rewards: {stage: score, responses: answers, reward_model: reward}
  pairs: {stage: select, scored: rewards, policy: idle}
)";

fs::path write_recipe_text(const Folder& folder, const std::string& text) {
  write(folder / "recipe.yaml", text);
  return folder / "recipe.yaml";
}

const std::string kCopies = R"(name: copies
datasets:
  copy:
    source:
      name: copying
      of: asks
  asks: {source: {name: requests, records: prompts, count: 3}}
  demos: {source: {name: requests, records: demonstrations, count: 3}}
)";

std::string texts_of(const fs::path& run) {
  return content(run / "copy" / "prompts.jsonl");
}

Finding finding(const fs::path& plugin, const char* fault) {
  const Environment set("PLUMB_TEST_FAULT", fault);
  const Registry registry = Registry::scan({{plugin}, {}});
  return examine({{registry.find("selection-policy", "idle"), Value::map()}}).at(0);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(examination)

BOOST_AUTO_TEST_CASE(rules_run_in_another_process) {
  const fs::path file = kPlugins / "broken/test-misbehaving.plumb.so";
  const Folder folder;
  const Environment trace("PLUMB_TEST_TRACE", (folder / "trace").string());
  BOOST_TEST((finding(file, "nothing").what == Finding::What::nothing));
  BOOST_TEST(fs::exists(folder / "trace"));  // its code ran
  const Finding rule = finding(file, "rule");
  BOOST_TEST((rule.what == Finding::What::rule));
  BOOST_TEST(rule.message == "select nothing\n  nothing can be selected today");
}

BOOST_AUTO_TEST_CASE(whatever_a_plugin_does_is_found_on_it) {
  const fs::path file = kPlugins / "broken/test-misbehaving.plumb.so";
  const std::string who = "plugin test.misbehaving 1.0.0 (" + file.string() + "): ";
  const auto fault = [&](const char* name, const std::string& message) {
    const Finding found = finding(file, name);
    BOOST_TEST((found.what == Finding::What::plugin), name);
    BOOST_TEST(has(found.message, message), found.message);
  };
  fault("load-exit", who + "the process that opened it ended with status 0");
  fault("load-crash", who + "the process that opened it was killed by SIGSEGV");
  fault("rule-aborts",
        who + "the process that opened it was killed by SIGABRT (Aborted); its last words: the rule book burns");
  fault("rule-throws", "in the rules of its parameters: threw std::runtime_error: no rule book found");
  fault("open", "registration failed: the sky is falling");
}

BOOST_AUTO_TEST_CASE(the_others_are_asked_all_the_same) {
  const Environment set("PLUMB_TEST_FAULT", "load-exit");
  const Registry registry =
      Registry::scan({{kPlugins / "broken/test-misbehaving.plumb.so", kPlugins / "good/test-gap.plumb.so"}, {}});
  const KnownComponent* idle = registry.find("selection-policy", "idle");
  const KnownComponent* gap = registry.find("selection-policy", "gap");
  const auto found = examine({{gap, Value::map({{"above", 1}})},
                              {idle, Value::map()},
                              {idle, std::nullopt},
                              {gap, Value::map({{"above", 13}})}});
  BOOST_REQUIRE_EQUAL(found.size(), 4u);
  BOOST_TEST((found[0].what == Finding::What::nothing));
  BOOST_TEST((found[1].what == Finding::What::plugin));
  BOOST_TEST((found[2].what == Finding::What::nothing));  // said once
  BOOST_TEST((found[3].what == Finding::What::rule));
  BOOST_TEST(has(found[3].message, "refused by a rule"));
}

BOOST_AUTO_TEST_CASE(a_library_that_does_not_load_is_said_in_words) {
  const Folder folder;
  const fs::path file = folder / "undefined.plumb.so";
  fs::copy_file(kPlugins / "broken/broken-undefined.plumb.so", file);
  fs::copy_file(kPlugins / "broken/broken-selection.schema.json", schema_file(file));
  const Registry registry = Registry::scan({{file}, {}});
  const Finding found = examine({{registry.find("selection-policy", "best"), std::nullopt}}).at(0);
  BOOST_TEST((found.what == Finding::What::plugin));
  BOOST_TEST(has(found.message, "it does not load: undefined symbol: "), found.message);
  BOOST_TEST(!has(found.message, "Bad file descriptor"), found.message);
  BOOST_TEST(has(found.message, "build it again against this version"), found.message);
}

// A plugin that exits while it is opened ends no command, and no stage has run.
BOOST_AUTO_TEST_CASE(commands_refuse_before_the_first_stage) {
  const Folder folder;
  const fs::path recipe = write_recipe_text(folder, kIdle);
  const std::string arguments = " " + recipe.string() + plugin_option("broken/test-misbehaving");
  const std::string runs = " --runs " + (folder / "runs").string();
  const Environment set("PLUMB_TEST_FAULT", "load-exit");
  for (const std::string& verb : {std::string("validate"), std::string("plan") + runs, std::string("run") + runs}) {
    const Outcome outcome = plumb_command(verb + arguments);
    BOOST_TEST(outcome.status == 5, verb);
    BOOST_TEST(has(outcome.err, "stages.pairs.policy: plugin test.misbehaving"), outcome.err);
    BOOST_TEST(has(outcome.err, recipe.string() + ":17:51: "), outcome.err);
  }
  BOOST_TEST(!fs::exists(folder / "runs/idle"));
  BOOST_TEST(plumb_command("validate --no-code" + arguments).status == 0);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(component_inputs)

BOOST_AUTO_TEST_CASE(names_are_checked) {
  const Folder folder;
  const auto problems = [&](const std::string& from, const std::string& to) {
    std::string text = kCopies;
    text.replace(text.find(from), from.size(), to);
    const LoadedRecipe loaded =
        load_recipe({.file = write_recipe_text(folder, text), .plugins = {kPlugins / "inputs/test-copying.plumb.so"}});
    std::string all;
    for (const Problem& problem : loaded.problems) all += show_problem(problem, loaded.source.text) + "\n";
    return all;
  };
  BOOST_TEST(problems("asks\n", "asks\n") == "");
  const std::string at = (folder / "recipe.yaml").string() + ":6:11: datasets.copy.source.of: ";
  BOOST_TEST(problems("of: asks", "of: ask") == at +
                                                    "no dataset, model or stage is named `ask`; those of type prompts: "
                                                    "asks; nearest: asks\n");
  BOOST_TEST(problems("of: asks", "of: demos") ==
             at + "`demos` is of type demonstrations, wanted prompts; of that type: asks\n");
  BOOST_TEST(has(problems("of: asks", "of: copy"), "the stages wait for each other: copy -> copy"));
  BOOST_TEST(
      has(problems("of: asks", "of: asks\n      more: [asks, nowhere]"), "datasets.copy.source.more.1: no dataset"));
}

BOOST_AUTO_TEST_CASE(they_are_in_the_graph_and_in_the_key) {
  const Folder folder;
  const ArtifactStore store(folder / "artifacts");
  const auto plan_of = [&](const std::string& from, const std::string& to) {
    std::string text = kCopies;
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
      text.replace(at, from.size(), to);
    }
    const LoadedRecipe loaded =
        load_recipe({.file = write_recipe_text(folder, text), .plugins = {kPlugins / "inputs/test-copying.plumb.so"}});
    BOOST_REQUIRE(loaded.problems.empty());
    const Plan plan = make_plan(loaded.recipe, store).value();
    BOOST_TEST(plan.stages[0].spec->name != "copy");  // what it reads comes first
    return plan.find("copy")->manifest;
  };
  const ArtifactManifest before = plan_of("asks", "asks");
  BOOST_TEST((before.inputs.at(0).first == "source.of"));
  BOOST_TEST(plan_of("asks", "others").key == before.key);  // names mean nothing
  BOOST_TEST(plan_of("prompts, count: 3", "prompts, count: 4").key != before.key);
  BOOST_TEST(plan_of("of: asks", "of: asks\n      mark: '?'").key != before.key);
  BOOST_TEST(plan_of("of: asks", "of: asks\n      more: [asks]").key != before.key);
}

BOOST_AUTO_TEST_CASE(the_component_gets_the_folder) {
  const Folder folder;
  const auto run = [&](const std::string& text) {
    const fs::path recipe = write_recipe_text(folder, text);
    const Outcome outcome = plumb_command("run " + recipe.string() + plugin_option("inputs/test-copying") +
                                          " --quiet --runs " + (folder / "runs").string());
    BOOST_TEST(outcome.status == 0, outcome.err);
    return texts_of(folder / "runs/copies");
  };
  const std::string three = run(kCopies);
  BOOST_TEST(std::count(three.begin(), three.end(), '\n') == 3);
  BOOST_TEST(has(three, "!"));
  std::string text = kCopies;
  text.replace(text.find("count: 3"), 8, "count: 2");  // the other dataset changes, and this one with it
  const std::string two = run(text);
  BOOST_TEST(std::count(two.begin(), two.end(), '\n') == 2);
}

BOOST_AUTO_TEST_SUITE_END()
