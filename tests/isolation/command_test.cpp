// `isolation: process` in recipes, through the real command: the same artifacts, the same keys, and runs that a faulty
// plugin does not take down.
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <thread>

#include "tests/faults/command.h"

namespace plumb::test {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

const fs::path kSmoke = fs::path(PLUMB_SOURCE_DIR) / "recipes/lab/smoke.yaml";
const std::string kFaulty = PLUMB_TEST_PLUGINS "/test-faulty.plumb.so";

const Words kIsolated{
    "--set", "stages.pairs.policy.isolation=process",      "--set", "stages.gold.judge.isolation=process",
    "--set", "stages.gold.evaluators.0.isolation=process", "--set", "stages.gold.evaluators.1.isolation=process"};

Words with(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// The recipe with the faulty plugin's policy in the place of its own.
Words faulty_policy(const Words& params) {
  Words out{
      "--plugin", kFaulty, "--set", "stages.pairs.policy=chance", "--set", "stages.pairs.policy.isolation=process"};
  for (const std::string& param : params) out = with(out, {"--set", "stages.pairs.policy." + param});
  return out;
}

bool alive(pid_t process) {
  std::ifstream in("/proc/" + std::to_string(process) + "/stat");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  return !text.empty() && text[text.rfind(')') + 2] != 'Z';
}

template <class F>
bool soon(const F& holds) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!holds() && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  return holds();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(isolated_command, *boost::unit_test::fixture<InMemory>())

BOOST_AUTO_TEST_CASE(a_run_gives_the_same_bytes_and_the_keys_do_not_change) {
  const Command plain(kSmoke), isolated(kSmoke);
  const Outcome here = plain.run(), there = isolated.run(kIsolated);
  BOOST_REQUIRE_MESSAGE(here.status == 0, here.errors);
  BOOST_REQUIRE_MESSAGE(there.status == 0, there.errors);
  for (const char* stage : {"pairs", "aligned", "gold", "report"}) {
    BOOST_TEST_CONTEXT(stage) {
      // The report names folders of its run.
      if (std::string(stage) != "report") BOOST_TEST(files_of(plain.stage(stage)) == files_of(isolated.stage(stage)));
      BOOST_TEST(read_manifest(plain.stage(stage)).value().key == read_manifest(isolated.stage(stage)).value().key);
    }
  }
  const auto weights = [](const Command& plumb) {
    return sha256_of_file(plumb.stage("aligned") / "adapter_model.safetensors");
  };
  BOOST_TEST(weights(plain).value() == weights(isolated).value());
  // What was made without comes from the cache with it, and the other way round.
  BOOST_TEST(plain.run(kIsolated).made().empty());
  BOOST_TEST(isolated.run().made().empty());
  BOOST_TEST(isolated.run(with(kIsolated, {"--set", "stages.gold.judge.call_timeout=77"})).made().empty());
  const std::string why = plain.call("plan", with(kIsolated, {"--set", "stages.pairs.policy.eta=0.9"})).output;
  BOOST_TEST(why.find("stages.pairs.policy.eta 0.6 -> 0.9") != std::string::npos, why);
  BOOST_TEST(why.find("isolation") == std::string::npos, why);
}

// A judge that has a reward model opened and asks it, judges that read files, and evaluators that ask judges.
BOOST_AUTO_TEST_CASE(judges_of_every_sort_judge_the_same) {
  const fs::path recipe = fs::path(PLUMB_SOURCE_DIR) / "recipes/lab/judged.yaml";
  const Words stages{"rated", "compared", "exact", "replayed"};
  Words isolation;
  for (const std::string& stage : stages) {
    for (const char* component : {".judge", ".evaluators.0"}) {
      isolation = with(isolation, {"--set", "stages." + stage + component + ".isolation=process"});
    }
  }
  const Command plain(recipe), isolated(recipe);
  const Outcome here = plain.run(), there = isolated.run(isolation);
  BOOST_REQUIRE_MESSAGE(here.status == 0, here.errors);
  BOOST_REQUIRE_MESSAGE(there.status == 0, there.errors);
  for (const std::string& stage : stages) {
    BOOST_TEST_CONTEXT(stage) {
      BOOST_TEST(files_of(plain.stage(stage)) == files_of(isolated.stage(stage)));
    }
  }
}

BOOST_AUTO_TEST_CASE(judgements_that_a_crash_cost_are_shown_beside_the_mean_of_the_others) {
  const Command plumb(fs::path(PLUMB_SOURCE_DIR) / "recipes/lab/judged.yaml");
  Words crashing{"--plugin", kFaulty, "--until", "exact"};
  for (const char* value : {"judge=faulty-judge", "judge.isolation=process", "judge.fault=crash", "judge.call=3",
                            "evaluators.0.tolerated_failures=0.9"}) {
    crashing = with(crashing, {"--set", std::string("stages.exact.") + value});
  }
  const Outcome run = plumb.run(crashing);
  BOOST_REQUIRE_MESSAGE(run.status == 0, run.errors);
  BOOST_TEST(run.logged("was killed by SIGSEGV (Segmentation fault) in judge of request "));
  const Value metrics = parse_json(read_file(plumb.stage("exact") / "metrics.json").value());
  std::int64_t failed = 0, killed = 0;
  for (const Value& row : metrics.as_list()) {
    const std::string& name = row.at("name").as_string();
    if (name == "mt-bench/sft/mean" || name == "mt-bench/aligned/mean") failed += row.at("failures").as_int();
  }
  std::ifstream answers(plumb.stage("exact") / "answers.jsonl");
  for (std::string row; std::getline(answers, row);) killed += row.find("was killed by SIGSEGV") != std::string::npos;
  BOOST_TEST(failed == killed);
  BOOST_TEST(failed < 32);
  BOOST_TEST(failed > 0);
}

BOOST_AUTO_TEST_CASE(a_policy_that_crashes_costs_its_stage_and_nothing_else) {
  const Command plumb(kSmoke);
  const Outcome crashed = plumb.run(faulty_policy({"fault=crash", "call=3"}));
  BOOST_TEST(crashed.status == 5);
  for (const char* part :
       {"stage `pairs`: selection-policy chance: its process (plugin test.faulty 1.0.0) was killed by "
        "SIGSEGV (Segmentation fault) in select of prompt ",
        "its last words: about to crash"}) {
    BOOST_TEST(crashed.says(part), crashed.errors);
  }
  BOOST_TEST(crashed.made().size() == 14U);
  const Outcome again = plumb.run(faulty_policy({"fault=none"}));
  BOOST_TEST(again.status == 0, again.errors);
  BOOST_TEST((again.made() == Words{"pairs", "aligned", "gold", "report"}));
}

// In the process of the run itself.
BOOST_AUTO_TEST_CASE(a_plugin_that_ends_the_run_never_passes_for_success_and_is_named) {
  const Command plumb(kSmoke);
  BOOST_REQUIRE(plumb.run({"--until", "rewards"}).status == 0);
  const auto failing = [&](const std::string& fault) {
    Words words = faulty_policy({"isolation=none", "fault=" + fault, "call=3"});
    return plumb.run(words);
  };
  const Outcome left = failing("quick-exit");
  BOOST_TEST(left.status == 5);
  BOOST_TEST(left.says("stage `pairs`: the process ended with status 0 before its work was done"), left.errors);
  BOOST_TEST(left.says("Plugins of the stage: test.faulty 1.0.0"), left.errors);
  for (const auto& [fault, name] : {std::pair{"crash", "SIGSEGV"}, {"abort", "SIGABRT"}}) {
    const Outcome crashed = failing(fault);
    BOOST_TEST(crashed.status == 5);
    BOOST_TEST(crashed.says(std::string("stage `pairs`: the process crashed with ") + name), crashed.errors);
    BOOST_TEST(crashed.says(" in the plugin " + fs::canonical(kFaulty).string()), crashed.errors);
  }
  const Outcome exited = failing("exit");
  BOOST_TEST(exited.status != 0);
  BOOST_TEST(exited.says("stage `pairs`: the process "), exited.errors);
  BOOST_TEST(plumb.run(faulty_policy({"isolation=none", "fault=none"})).status == 0);
}

BOOST_AUTO_TEST_CASE(nothing_is_left_when_the_command_is_killed) {
  const Command plumb(kSmoke);
  const fs::path pids = plumb.folder() / "pids";
  const Words hanging = with(faulty_policy({"fault=hang"}), {"--set", "stages.pairs.policy.pids=" + pids.string()});
  Process run = plumb.start("run", hanging);
  const auto processes = [&] {
    std::ifstream in(pids);
    std::vector<pid_t> out;
    for (pid_t one = 0; in >> one;) out.push_back(one);
    return out;
  };
  BOOST_REQUIRE(soon([&] { return !processes().empty(); }));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));  // most hang by now; others may still be starting
  const std::vector<pid_t> before = processes();
  for (const pid_t process : before) {
    BOOST_TEST(alive(process));
    const std::string command = read_file("/proc/" + std::to_string(process) + "/cmdline").value();
    BOOST_TEST(command.find("plumb-component") != std::string::npos, command);
    BOOST_TEST(command.find("hang") == std::string::npos, "parameters are among the arguments: " + command);
  }
  run.signal(SIGKILL);
  BOOST_TEST(run.wait() == 128 + SIGKILL);
  // Those that were starting, too.
  BOOST_TEST(soon([&] {
    const std::vector<pid_t> all = processes();
    return std::none_of(all.begin(), all.end(), alive);
  }));
  const std::vector<pid_t> after = processes();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  BOOST_TEST((processes() == after), "a process began after the command was killed");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace plumb::test
