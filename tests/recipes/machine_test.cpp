// What the machine lacks that a recipe asks for (keys, GPUs, plugins, one process) is said before anything runs.
#include <boost/test/unit_test.hpp>

#include "tests/recipes/recipe_command.h"

namespace fs = std::filesystem;
using namespace plumb::test;

BOOST_AUTO_TEST_SUITE(recipes)

// A key that is read from the environment: a run without it ends before its first stage, a validation says it.
BOOST_AUTO_TEST_CASE(what_the_environment_lacks_is_said_before_a_run) {
  const std::string recipe = (kHere / "good" / "base.yaml").string();
  const std::string key =
      "judge: {name: openai-judge, url: \"https://example.org/v1\", model: m, key_from: PLUMB_NO_SUCH_KEY}";
  const std::string value = key.substr(key.find('{'));
  const fs::path runs = no_runs();
  const std::vector<std::string> with{recipe, "--set", "stages.gold.evaluators=[mt-bench]", "--set",
                                      "stages.gold.judge=" + value};
  const auto command_line = [&](const std::string& verb, const std::vector<std::string>& more) {
    std::vector<std::string> all{command(), verb};
    all.insert(all.end(), with.begin(), with.end());
    all.insert(all.end(), more.begin(), more.end());
    return run(all);
  };
  const Outcome refused = command_line("run", {"--runs", runs.string()});
  BOOST_TEST(refused.status == 2);
  BOOST_TEST(refused.text.find("stages.gold.judge.key_from: the environment variable of this name is not set") !=
                 std::string::npos,
             refused.text);
  BOOST_TEST(refused.text.find("PLUMB_NO_SUCH_KEY\n") == std::string::npos);
  BOOST_TEST(!fs::exists(runs / "bad"));
  const Outcome noted = command_line("validate", {});
  BOOST_TEST(noted.status == 0);
  BOOST_TEST(noted.text.find("note: ") == 0u, noted.text);
  fs::remove_all(runs);
}

// No machine has a GPU 127.
BOOST_AUTO_TEST_CASE(a_gpu_that_is_not_there_is_said_before_anything_runs) {
  const std::string recipe = (kHere / "good" / "base.yaml").string();
  const fs::path runs = no_runs();
  for (const auto& [set, key] : {std::pair<std::string, std::string>{"stages.sft.device=cuda:127", "stages.sft.device"},
                                 {"stages.answers.generator={name: local, device: cuda:127}", "generator.device"},
                                 {"stages.gold.device=cuda:127", "stages.gold.device"}}) {
    for (const std::string verb : {"validate", "plan", "run"}) {
      BOOST_TEST_CONTEXT(verb << " " << key) {
        std::vector<std::string> arguments{command(), verb, recipe, "--set", set};
        if (verb != "validate") arguments.insert(arguments.end(), {"--runs", runs.string()});
        const Outcome outcome = run(arguments);
        BOOST_TEST(outcome.status == 2);
        BOOST_TEST(outcome.text.find(key) != std::string::npos, outcome.text);
        BOOST_TEST(outcome.text.find("cuda:127 cannot be used on this machine: no ") != std::string::npos,
                   outcome.text);
      }
    }
  }
  const Outcome elsewhere =
      run({command(), "plan", recipe, "--set", "stages.sft.device=cuda:127", "--runs", runs.string(), "--gpus"});
  BOOST_TEST(elsewhere.status == 0);
  BOOST_TEST(elsewhere.text.find("checked for another machine") != std::string::npos, elsewhere.text);
  BOOST_TEST(!fs::exists(runs));
}

BOOST_AUTO_TEST_CASE(several_processes_of_what_is_one_are_refused) {
  const std::string recipe = (kHere / "good" / "base.yaml").string();
  for (const auto& [rank, world] :
       {std::pair{"RANK", "WORLD_SIZE"}, std::pair{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
        std::pair{"PMI_RANK", "PMI_SIZE"}}) {
    ::setenv(world, "2", 1);
    const Outcome half = run({command(), "run", recipe, "--runs", "/nowhere"});
    BOOST_TEST(half.status == 2);
    BOOST_TEST(half.text.find(std::string(world) + " is in the environment without " + rank) != std::string::npos,
               half.text);
    ::setenv(rank, "1", 1);
    ::setenv("MASTER_ADDR", "localhost", 1);
    ::setenv("MASTER_PORT", "1", 1);
    const Outcome sweep = run({command(), "sweep", recipe, "--runs", "/nowhere"});
    BOOST_TEST(sweep.status == 2);
    BOOST_TEST(sweep.text.find("started 2 processes of `plumb sweep`") != std::string::npos, sweep.text);
    for (const char* name : {rank, world, "MASTER_ADDR", "MASTER_PORT"}) ::unsetenv(name);
  }
}

BOOST_AUTO_TEST_CASE(a_plugin_that_was_asked_for_must_be_usable) {
  const std::string recipe = (kHere / "good" / "base.yaml").string();
  for (const char* file : {"not-a-plugin.plumb.so", "absent.plumb.so"}) {
    const Outcome outcome = run({command(), "validate", recipe, "--plugin", (kHere / "files" / file).string()});
    BOOST_TEST(outcome.status == 2);
    BOOST_TEST(outcome.text.find(std::string(file) + ": the plugin is refused: ") != std::string::npos, outcome.text);
  }
}

BOOST_AUTO_TEST_SUITE_END()
