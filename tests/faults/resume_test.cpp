// `plumb run` over real stages, killed: the same command goes on, does less than from zero, and ends with the bytes of
// a run that was left alone.
#include <boost/test/unit_test.hpp>
#include <charconv>
#include <chrono>
#include <map>
#include <random>
#include <sstream>
#include <thread>

#include "tests/faults/command.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;
using test::Command;
using test::Outcome;
using test::Process;

const fs::path kRecipe = fs::path(PLUMB_SOURCE_DIR) / "tests/faults/resume.yaml";
const std::vector<std::string> kStages{"sft",   "backbone", "reward", "responses", "rewards",
                                       "pairs", "aligned",  "ppo",    "gold"};

void require_success(const Outcome& outcome) {
  BOOST_REQUIRE_MESSAGE(outcome.status == 0, outcome.status << ": " << outcome.errors << outcome.output);
}

std::map<std::string, std::string> products(const Command& plumb) {
  std::map<std::string, std::string> out;
  for (const std::string& stage : kStages) out[stage] = test::files_of(plumb.stage(stage));
  return out;
}

// Update of the newest checkpoint that a killed stage left in place, 0 without one.
std::int64_t checkpoint_of(const fs::path& stage) {
  std::int64_t newest = 0;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(stage / "work/checkpoints", absent)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("checkpoint-")) newest = std::max<std::int64_t>(newest, std::stoll(name.substr(11)));
  }
  return newest;
}

// Whole rows that a killed stage left.
std::size_t rows_of(const fs::path& stage) {
  const auto text = read_file(stage / "work/responses.jsonl");
  return text ? static_cast<std::size_t>(std::count(text->begin(), text->end(), '\n')) : 0;
}

// Everything done once, so that a test repeats one stage at a time.
struct Finished {
  Finished() : plumb(kRecipe) {
    require_success(plumb.run());
    whole = products(plumb);
    for (const std::string& stage : kStages) artifact[stage] = fs::canonical(plumb.stage(stage));
  }

  // Takes the stage's artifact away and makes it again, the first attempt killed at the n-th operation on files of it.
  // False when the attempt came to its end before that.
  bool kill(const std::string& stage, int operation) {
    fs::remove_all(artifact.at(stage));
    const Outcome killed = plumb.run(
        {"--until", stage},
        {fmt::format("PLUMB_CRASH_AT={}", operation), "PLUMB_FAULT_PATH=" + artifact.at(stage).filename().string()});
    if (killed.status == 0) return false;
    BOOST_REQUIRE_MESSAGE(killed.status == 128 + SIGKILL, killed.status << ": " << killed.errors);
    return true;
  }

  Outcome go_on(const std::string& stage) {
    Outcome resumed = plumb.run({"--until", stage});
    require_success(resumed);
    BOOST_TEST(test::files_of(plumb.stage(stage)) == whole.at(stage), "other bytes in " << stage);
    return resumed;
  }

  Command plumb;
  std::map<std::string, std::string> whole;
  std::map<std::string, fs::path> artifact;
};

// The stage that trains is killed at every `stride`-th operation on its files: rows of metrics, parts of checkpoints,
// the weights, the manifest, the renames. 40 updates, a checkpoint after every 12th.
void check_training(Finished& all, const std::string& stage, int stride) {
  std::set<std::int64_t> seen;
  int operation = 1;
  for (; all.kill(stage, operation); operation += stride) {
    const fs::path left = all.plumb.stage(stage);
    const bool committed = fs::exists(left / "artifact.json");  // then all that is missing is a rename
    const std::int64_t checkpoint = checkpoint_of(left);
    seen.insert(checkpoint);
    const Outcome resumed = all.go_on(stage);
    BOOST_TEST_CONTEXT(stage << " killed at operation " << operation << ", checkpoint of update " << checkpoint) {
      std::set<std::int64_t> rest;
      for (std::int64_t update = checkpoint + 1; update <= 40; ++update) rest.insert(update);
      BOOST_TEST(resumed.updates(stage) == (committed ? std::set<std::int64_t>() : rest));
      if (!committed) BOOST_TEST(resumed.logged("going on from the checkpoint of update") == (checkpoint > 0));
    }
  }
  BOOST_TEST(test::files_of(all.plumb.stage(stage)) == all.whole.at(stage));
  BOOST_TEST(seen == (std::set<std::int64_t>{0, 12, 24, 36}), "other checkpoints were met");
  BOOST_TEST_MESSAGE(stage << ": " << operation << " operations");
}

// The stage whose rows are durable block by block. `done` is what it says of the rows that it found.
void check_rows(Finished& all, const std::string& stage, int stride, const std::string& done) {
  std::set<std::size_t> seen;
  int operation = 1;
  for (; all.kill(stage, operation); operation += stride) {
    const std::size_t rows = rows_of(all.plumb.stage(stage));
    seen.insert(rows);
    const Outcome resumed = all.go_on(stage);
    if (rows > 0 && rows < 160) {
      BOOST_TEST(resumed.logged(fmt::format("{}: {} prompts were {} before", stage, rows, done)), resumed.output);
    }
  }
  BOOST_TEST(seen.size() >= 3U, "too few instants: " << seen.size());
  BOOST_TEST_MESSAGE(stage << ": " << operation << " operations");
}

void wait_for(const fs::path& file, Process& process) {
  for (int i = 0; i < 20000 && !fs::exists(file); ++i) {
    BOOST_REQUIRE_MESSAGE(!process.poll(), "it ended before " << file << " was there");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  BOOST_REQUIRE(fs::exists(file));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(resume, *boost::unit_test::fixture<test::InMemory>() * boost::unit_test::disabled())

BOOST_FIXTURE_TEST_CASE(sft_killed_anywhere_goes_on_to_the_same_weights, Finished) {
  check_training(*this, "sft", 23);
}

BOOST_FIXTURE_TEST_CASE(other_training_stages_killed_anywhere_go_on_to_the_same_weights, Finished) {
  check_training(*this, "backbone", 41);
  check_training(*this, "reward", 41);
  check_training(*this, "aligned", 41);
}

BOOST_FIXTURE_TEST_CASE(online_training_killed_anywhere_goes_on_to_the_same_weights, Finished) {
  check_training(*this, "ppo", 41);
}

BOOST_FIXTURE_TEST_CASE(sample_and_score_killed_anywhere_go_on_to_the_same_rows, Finished) {
  check_rows(*this, "responses", 2, "sampled");
  check_rows(*this, "rewards", 2, "scored");
}

BOOST_AUTO_TEST_CASE(a_damaged_checkpoint_costs_updates_not_the_run) {
  Finished all;
  for (int operation = 140; checkpoint_of(all.plumb.stage("sft")) < 12; operation += 20) {
    if (operation > 140) all.go_on("sft");
    BOOST_REQUIRE(all.kill("sft", operation));
  }
  const std::int64_t newest = checkpoint_of(all.plumb.stage("sft"));
  const fs::path tensors =
      all.plumb.stage("sft") / fmt::format("work/checkpoints/checkpoint-{}/tensors.safetensors", newest);
  std::fstream file(tensors, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-5, std::ios::end);
  file.put('\x55');
  file.close();
  const Outcome resumed = all.go_on("sft");
  BOOST_TEST(resumed.logged("skipping a checkpoint: "));
  BOOST_TEST(resumed.logged("its content does not match the hash"));
  BOOST_TEST(resumed.updates("sft").size() == 40U);
}

BOOST_AUTO_TEST_CASE(kills_at_random_instants_of_the_whole_chain_leave_no_trace) {
  const Finished undisturbed;
  std::mt19937 random(5);
  const Command plumb(kRecipe);
  int kills = 0;
  for (int patience = 300;; patience += 60) {  // milliseconds; grows, so that a slow machine comes to the end too
    Process process = plumb.start("run", {"--json"});
    const int pause = static_cast<int>(random() % static_cast<unsigned>(patience));
    std::this_thread::sleep_for(std::chrono::milliseconds(pause));
    process.signal(SIGKILL);
    const Outcome outcome = plumb.wait(process);
    if (outcome.status == 0) break;
    BOOST_REQUIRE_MESSAGE(outcome.status == 128 + SIGKILL, outcome.status << ": " << outcome.errors << outcome.output);
    ++kills;
  }
  for (const auto& [stage, files] : products(plumb)) {
    const std::string& wanted = undisturbed.whole.at(stage);
    BOOST_TEST(files == wanted, stage << ":\n" << files << wanted);
  }
  BOOST_TEST(kills >= 5);
  BOOST_TEST_MESSAGE("killed " << kills << " times");
}

BOOST_AUTO_TEST_CASE(signals_stop_a_run_with_their_status_and_it_goes_on) {
  // Long enough to be still at work when the signal comes.
  const std::vector<std::string> longer{"stages.sft.num_train_epochs=10", "datasets.prompts.source.count=1600"};
  const Command undisturbed(kRecipe, longer), plumb(kRecipe, longer);
  require_success(undisturbed.run({"--until", "responses"}));
  const auto stop = [&](int signal, int status, const fs::path& trigger) {
    Process process = plumb.start("run", {"--json", "--until", "responses"});
    wait_for(trigger, process);
    const auto start = std::chrono::steady_clock::now();
    process.signal(signal);
    const Outcome outcome = plumb.wait(process);
    BOOST_TEST(outcome.status == status, outcome.errors);
    BOOST_TEST(outcome.says("the same command goes on"), outcome.errors);
    BOOST_TEST(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < 10.0);
    return outcome;
  };
  const fs::path checkpoints = plumb.stage("sft") / "work/checkpoints";
  stop(SIGTERM, 75, checkpoints / "checkpoint-12");
  const std::int64_t first = checkpoint_of(plumb.stage("sft"));
  BOOST_TEST(first >= 12);
  const Outcome interrupted = stop(SIGINT, 130, checkpoints / fmt::format("checkpoint-{}", (first / 12 + 2) * 12));
  BOOST_TEST(*interrupted.updates("sft").begin() == first + 1);
  stop(SIGUSR1, 75, plumb.stage("responses") / "work/responses.jsonl");
  require_success(plumb.run({"--until", "responses"}));
  for (const std::string stage : {"sft", "responses"}) {
    BOOST_TEST(test::files_of(plumb.stage(stage)) == test::files_of(undisturbed.stage(stage)));
  }
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace plumb
