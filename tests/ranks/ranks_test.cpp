// The real command as the ranks of one run, started as launchers start it: the same bytes as one process makes, whatever
// the number of ranks and wherever they are stopped, and a word about the rank that failed.

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <thread>

#include "framework/core/ranks/test_port.h"
#include "tests/faults/command.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using test::Command;
using test::Outcome;
using test::Process;
using Words = std::vector<std::string>;

const fs::path kHere = fs::path(PLUMB_SOURCE_DIR) / "tests/ranks";
const fs::path kRecipe = kHere / "ranks.yaml";
const fs::path kLong = fs::path(PLUMB_SOURCE_DIR) / "tests/faults/resume.yaml";
// Sums are taken in an order that depends on the number of threads.
const std::string kOneThread = "OMP_NUM_THREADS=1";

// The processes of one run, started by hand.
class Ranks {
 public:
  Ranks(const Command& plumb, int world, const Words& arguments = {}, const std::map<int, Words>& own = {})
      : plumb_(plumb) {
    const std::string port = std::to_string(test::free_port());
    for (int rank = 0; rank < world; ++rank) {
      Words environment{"RANK=" + std::to_string(rank),
                        "WORLD_SIZE=" + std::to_string(world),
                        "LOCAL_RANK=" + std::to_string(rank),
                        "MASTER_ADDR=127.0.0.1",
                        "MASTER_PORT=" + port,
                        kOneThread};
      Words words{"--json"};
      words.insert(words.end(), arguments.begin(), arguments.end());
      if (const auto more = own.find(rank); more != own.end()) {
        words.insert(words.end(), more->second.begin(), more->second.end());
      }
      processes_.emplace_back(new Process(plumb.start("run", words, environment, mark(rank))));
    }
  }

  void signal(int rank, int number) const { processes_.at(static_cast<std::size_t>(rank))->signal(number); }

  Outcome wait(int rank) { return plumb_.wait(*processes_.at(static_cast<std::size_t>(rank)), mark(rank)); }
  std::vector<Outcome> wait() {
    std::vector<Outcome> outcomes;
    for (std::size_t rank = 0; rank < processes_.size(); ++rank) {
      outcomes.push_back(wait(static_cast<int>(rank)));
    }
    return outcomes;
  }

 private:
  static std::string mark(int rank) { return "-" + std::to_string(rank); }
  const Command& plumb_;
  std::vector<std::unique_ptr<Process>> processes_;
};

void require_success(const std::vector<Outcome>& outcomes) {
  for (std::size_t rank = 0; rank < outcomes.size(); ++rank) {
    BOOST_TEST_CONTEXT("rank " << rank) {
      BOOST_REQUIRE_MESSAGE(outcomes[rank].status == 0, outcomes[rank].status << ": " << outcomes[rank].errors);
      if (rank > 0) BOOST_TEST(outcomes[rank].errors + outcomes[rank].output == "");
    }
  }
}

Outcome one_process(const Command& plumb, const Words& arguments = {}) {
  const Outcome outcome = plumb.run(arguments, {kOneThread});
  BOOST_REQUIRE_MESSAGE(outcome.status == 0, outcome.status << ": " << outcome.errors);
  return outcome;
}

void check_same(const Command& plumb, const Command& wanted, const Words& stages) {
  for (const std::string& stage : stages) {
    BOOST_TEST_CONTEXT(stage) {
      BOOST_TEST(test::files_of(plumb.stage(stage)) == test::files_of(wanted.stage(stage)));
    }
  }
}

const Words kStages{"sft", "backbone", "reward", "responses", "rewards", "pairs", "aligned", "ppo", "gold"};
const Words kUntil{"--until", "ppo", "--until", "gold"};

}  // namespace

BOOST_AUTO_TEST_SUITE(ranks, *boost::unit_test::fixture<test::InMemory>())

BOOST_AUTO_TEST_CASE(two_processes_make_the_bytes_of_one) {
  const Command alone(kRecipe), together(kRecipe);
  one_process(alone, kUntil);
  require_success(Ranks(together, 2, kUntil).wait());
  check_same(together, alone, kStages);
  const Value record = parse_json(read_file(together.runs() / "ranks/run.json").value());
  BOOST_TEST(record.at("ranks").at("world").as_int() == 2);
  BOOST_TEST(record.at("ranks").at("launcher").as_string() == "RANK and WORLD_SIZE");
  BOOST_TEST(record.at("ranks").at("processes").as_list().size() == 2U);
  BOOST_TEST(read_manifest(together.stage("sft")).value().summary.at("ranks").as_int() == 2);
  for (const char* stage : {"sft", "reward"}) {
    BOOST_TEST(read_manifest(together.stage(stage)).value().summary.at("layers_in_parts").as_bool());
    BOOST_TEST(read_manifest(alone.stage(stage)).value().summary.find("layers_in_parts") == nullptr);
  }

  // Another recipe on one rank: each stops, and rank 0 says which differs.
  const auto different = Ranks(together, 2, kUntil, {{1, {"--set", "seed=2"}}}).wait();
  BOOST_TEST(different[0].status == 2);
  BOOST_TEST(different[1].status == 2);
  BOOST_TEST(different[0].says("the ranks differ in their recipe: rank 1 (process "), different[0].errors);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(ranks_slow, *boost::unit_test::fixture<test::InMemory>())

// The command as a launcher starts its two processes; nothing when the launcher is not there.
std::optional<Outcome> launched(const Command& plumb, Words launcher) {
  const fs::path program = launcher.front();
  if (!fs::exists(program)) {
    BOOST_TEST_MESSAGE("skipped: there is no " << program);
    return std::nullopt;
  }
  launcher.insert(launcher.end(), {PLUMB_COMMAND, "run", kRecipe.string(), "--runs", plumb.runs().string(), "--quiet"});
  launcher.insert(launcher.end(), kUntil.begin(), kUntil.end());
  const fs::path errors = plumb.folder() / "launcher-errors", output = plumb.folder() / "launcher-output";
  Process process(launcher, {errors, output}, {kOneThread});
  const int status = process.wait();
  return Outcome{status, read_file(errors).value(), read_file(output).value()};
}

std::string torchrun() {
  const char* named = std::getenv("PLUMB_TORCHRUN");
  return named == nullptr ? "/usr/bin/torchrun" : named;
}

// Under srun the tests of recipes/clusters.md start it.
BOOST_AUTO_TEST_CASE(launchers_start_ranks) {
  const Command alone(kRecipe);
  one_process(alone, kUntil);
  const std::map<std::string, Words> launchers{
      {"mpirun", {"/usr/bin/mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "2"}},
      {"torchrun",
       {torchrun(), "--no-python", "--nproc-per-node", "2", "--master-port", std::to_string(test::free_port())}}};
  for (const auto& [name, words] : launchers) {
    const Command plumb(kRecipe);
    const auto outcome = launched(plumb, words);
    if (!outcome) continue;
    BOOST_TEST_CONTEXT(name) {
      BOOST_REQUIRE_MESSAGE(outcome->status == 0, outcome->status << ": " << outcome->errors << outcome->output);
      check_same(plumb, alone, kStages);
      const Value record = parse_json(read_file(plumb.runs() / "ranks/run.json").value());
      BOOST_TEST(record.at("ranks").at("world").as_int() == 2);
      BOOST_TEST(record.at("ranks").at("launcher").as_string() == name);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_stop_of_any_rank_stops_all_and_any_number_goes_on) {
  const Command alone(kRecipe), plumb(kRecipe);
  one_process(alone, kUntil);
  {
    Ranks two(plumb, 2, kUntil);
    test::wait_for(plumb.stage("sft") / "work");
    two.signal(1, SIGTERM);
    for (const Outcome& outcome : two.wait()) BOOST_TEST(outcome.status == 75, outcome.errors);
  }
  {
    Ranks four(plumb, 4, kUntil);
    test::wait_for(plumb.stage("aligned") / "work");
    four.signal(0, SIGTERM);
    for (const Outcome& outcome : four.wait()) BOOST_TEST(outcome.status == 75, outcome.errors);
  }
  require_success(Ranks(plumb, 1, kUntil).wait());
  check_same(plumb, alone, kStages);
}

BOOST_AUTO_TEST_CASE(a_killed_rank_is_named_and_any_number_goes_on) {
  const Command alone(kLong), plumb(kLong);
  one_process(alone);
  for (const auto& [world, stage] : {std::pair{2, "sft"}, std::pair{4, "responses"}, std::pair{3, "aligned"}}) {
    Ranks some(plumb, world, {"--rank-timeout", "20"});
    test::wait_for(plumb.stage(stage) / "work");
    std::this_thread::sleep_for(200ms);
    some.signal(1, SIGKILL);
    const auto outcomes = some.wait();
    BOOST_TEST(outcomes[0].status == 1, outcomes[0].errors);
    BOOST_TEST(outcomes[0].says("rank 1"), outcomes[0].errors);
  }
  require_success(Ranks(plumb, 2).wait());
  const Value record = parse_json(read_file(alone.runs() / "resume/run.json").value());
  for (const Value& stage : record.at("stages").as_list()) {
    const std::string& kind = stage.at("kind").as_string();
    if (kind == "report" || kind == "evaluate") continue;  // their pages say how long things took
    check_same(plumb, alone, {stage.at("stage").as_string()});
  }
}

// The process that works, below the one that watches over it.
pid_t worker_of(const Command& plumb, const std::string& run, std::size_t rank) {
  const Value record = parse_json(read_file(plumb.runs() / run / "run.json").value());
  const std::string who = record.at("ranks").at("processes").as_list().at(rank).as_string();  // "process 17 on host"
  const std::string guardian = who.substr(8, who.find(' ', 8) - 8);
  return std::stoi(read_file(fs::path("/proc") / guardian / "task" / guardian / "children").value());
}

BOOST_AUTO_TEST_CASE(a_rank_that_hangs_is_named) {
  const Command plumb(kLong);
  Ranks two(plumb, 2, {"--rank-timeout", "5"});
  test::wait_for(plumb.stage("sft") / "work");
  const pid_t worker = worker_of(plumb, "resume", 1);
  ::kill(worker, SIGSTOP);
  const auto start = std::chrono::steady_clock::now();
  const Outcome leader = two.wait(0);
  BOOST_TEST((std::chrono::steady_clock::now() - start < 25s));
  ::kill(worker, SIGKILL);
  BOOST_TEST(leader.status == 1);
  BOOST_TEST(leader.says("rank 1 "), leader.errors);
  const bool why = leader.says("gives no sign of life for") || leader.says("lives and does not come");
  BOOST_TEST(why, leader.errors);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace plumb
