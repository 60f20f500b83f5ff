// Sweeps over the smoke recipe through the real command: shared stages once, failed arms kept and tried again,
// interruption and going on.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "framework/core/artifacts/artifact.h"
#include "framework/core/artifacts/disk.h"
#include "framework/core/artifacts/test_folder.h"
#include "framework/core/isolation/child_process.h"

namespace fs = std::filesystem;
using plumb::ChildProcess;
using plumb::Value;

namespace {

struct Bench {
  explicit Bench(const std::string& sweep) {
    std::ofstream(folder / "sweep.yaml") << "name: swept\nbase: " PLUMB_SOURCE_DIR "/recipes/lab/smoke.yaml\nsweep:\n"
                                         << sweep;
  }
  [[nodiscard]] std::vector<std::string> command(const std::vector<std::string>& more) const {
    std::vector<std::string> out{std::getenv("PLUMB_COMMAND"), "sweep", (folder / "sweep.yaml").string(), "--runs",
                                 (folder / "runs").string(),   "--json"};
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  [[nodiscard]] Value record() const {
    return plumb::parse_json(plumb::read_file(folder / "runs" / "swept" / "sweep.json").value());
  }
  [[nodiscard]] std::map<std::string, std::string> statuses() const {
    const Value read = record();
    std::map<std::string, std::string> out;
    for (const Value& arm : read.at("arms").as_list()) {
      out[arm.at("arm").as_string()] = arm.at("status").as_string();
    }
    return out;
  }
  // A launcher as srun is one: the arm is a process of its own, SIGTERM is passed on, and SIGINT is not. It leaves each
  // arm's command in `launched`.
  [[nodiscard]] std::string launcher() const {
    const fs::path file = folder / "launch";
    std::ofstream(file) << "#!/bin/sh\necho \"$@\" >> " << (folder / "launched").string()
                        << "\nshift\n\"$@\" & arm=$!\ntrap 'kill -TERM $arm' TERM\ntrap : INT\n"
                           "wait $arm; status=$?\n[ $status = 143 ] && { wait $arm; status=$?; }\nexit $status\n";
    fs::permissions(file, fs::perms::owner_all);
    return file.string() + " 'two words'";
  }
  plumb::test::Folder folder;
};

struct Outcome {
  int status = -1;
  std::vector<Value> events;
  [[nodiscard]] std::size_t count(const std::string& event, const char* key, const Value& wanted) const {
    std::size_t found = 0;
    for (const Value& e : events) {
      found += e.at("event") == Value(event) && e.find(key) != nullptr && e.at(key) == wanted ? 1 : 0;
    }
    return found;
  }
};

// Runs a sweep; once `event` was seen of any arm, sends the signal to it.
Outcome run(const std::vector<std::string>& command, int signal = 0, const std::string& event = {}) {
  ChildProcess child(command);
  Outcome out;
  for (bool over = false; !over;) {
    ChildProcess::wait_for_any({&child}, 50);
    over = child.ended();
    for (const std::string& line : child.lines()) {
      out.events.push_back(plumb::parse_json(line));
      if (signal == 0 || out.events.back().at("event") != Value(event)) continue;
      child.stop(std::exchange(signal, 0));
    }
  }
  out.status = child.status();
  if (out.status != 0) BOOST_TEST_MESSAGE(child.errors());
  return out;
}

// What a command of one that looks at runs prints.
std::string said(const std::vector<std::string>& command) {
  ChildProcess child(command);
  std::string out;
  for (bool over = false; !over;) {
    ChildProcess::wait_for_any({&child}, 50);
    over = child.ended();
    for (const std::string& line : child.lines()) out += line + "\n";
  }
  BOOST_REQUIRE_MESSAGE(child.status() == 0, child.errors());
  return out;
}

bool has(const std::string& text, const std::string& part) {
  const bool found = text.find(part) != std::string::npos;
  if (!found) BOOST_TEST_MESSAGE("not found: " << part << "\nin:\n" << text);
  return found;
}

// Keys of the committed artifacts, each with how often a stage was made: one of a key can only be there once, so what
// counts is that nothing was started twice.
std::size_t made(const Outcome& outcome) {
  std::size_t out = 0;
  for (const Value& e : outcome.events) {
    const Value* what = e.find("outcome");
    const bool finished = e.at("event") == Value("stage-finished");
    if (finished) BOOST_TEST(what->as_string().find("made by another") == std::string::npos);
    out += finished ? 1 : 0;
  }
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sweep)

BOOST_AUTO_TEST_CASE(what_arms_share_is_made_once_and_a_second_sweep_makes_nothing) {
  const Bench bench(
      "  seeds: [1, 2]\n"
      "  list:\n"
      "    sft: {stages.gold.models: [sft], stages.gold.baseline: null}\n"
      "    worst: {stages.pairs.policy: best-vs-worst}\n"
      "  until: [gold]\n");
  const Outcome first = run(bench.command({"--jobs", "2"}));
  BOOST_TEST(first.status == 0);
  BOOST_TEST(first.count("arm-finished", "status", "done") == 4U);
  const std::size_t there = plumb::ArtifactStore(bench.folder / "runs" / ".artifacts").all().size();
  BOOST_TEST(made(first) == there);
  // 5 datasets and the tokenizer for both seeds; two models, sft, backbone, reward and the evaluation of sft for each,
  // and of the other arm responses, rewards, pairs, the aligned model and its evaluation.
  BOOST_TEST(there == 6U + 2U * (6U + 5U));
  const std::string results = plumb::read_file(bench.folder / "runs" / "swept" / "results.csv").value();
  BOOST_TEST(
      results.starts_with("arm,row,seed,stages.gold.models,stages.gold.baseline,stages.pairs.policy,status,seconds,"));
  BOOST_TEST(std::count(results.begin(), results.end(), '\n') == 5);
  // The arm `worst` evaluates two models, so its row has a name for each.
  auto compare = bench.command({});
  compare = {compare[0], "compare", (bench.folder / "runs" / "swept").string(), "--baseline", "worst: sft", "--json"};
  const Value compared = plumb::parse_json(said(compare));
  BOOST_TEST(compared.at("rows").as_list().size() == 3U);
  BOOST_TEST(compared.at("rows").as_list()[0].at("row").as_string() == "sft: sft");
  // The same model, the same draws: no difference at all.
  const Value& same = compared.at("measures").as_list()[0].at("rows").as_list()[0].at("difference");
  BOOST_TEST(same.at("mean").as_double() == 0.0);
  BOOST_TEST(same.at("p").as_double() == 1.0);
  BOOST_TEST(same.at("verdict").as_string() == "not distinguishable");
  const Outcome second = run(bench.command({}));
  BOOST_TEST(second.status == 0);
  BOOST_TEST(made(second) == 0U);
  BOOST_TEST(second.count("arm-finished", "status", "cached") == 4U);
  BOOST_TEST(fs::exists(bench.folder / "runs" / "swept" / "report.html"));
  for (const char* arm : {"sft,seed=1", "worst,seed=2"}) {
    BOOST_TEST(fs::exists(bench.folder / "runs" / "swept" / arm / "gold" / "metrics.json"));
  }
}

BOOST_AUTO_TEST_CASE(failed_arms_are_kept_said_and_tried_again) {
  const Bench bench(
      "  list:\n"
      "    good: {stages.pairs.policy.eta: 0.55}\n"
      "    none: {stages.pairs.policy.eta: 0.9999999}\n"
      "    none-too: {stages.pairs.policy.eta: 0.9999999, stages.gold.samples: 1}\n"
      "  until: [gold]\n");
  const Outcome first = run(bench.command({}));
  BOOST_TEST(first.status == 3);
  auto statuses = bench.statuses();
  BOOST_TEST(statuses["good"] == "done");
  BOOST_TEST(statuses["none"] == "failed");
  BOOST_TEST(statuses["none-too"] == "blocked");
  const Value record = bench.record();
  BOOST_TEST(record.at("arms").as_list()[1].at("error").as_string().find("kept nothing") != std::string::npos);
  // Behind a launcher arms are told apart, ordered and explained as without one.
  const Outcome again = run(bench.command({"--launch", bench.launcher()}));
  BOOST_TEST(again.status == 3);
  BOOST_TEST(bench.statuses()["none-too"] == "blocked");
  BOOST_TEST(bench.record().at("arms").as_list()[1].at("error").as_string().find("kept nothing") != std::string::npos);
  const std::string launched = plumb::read_file(bench.folder / "launched").value();
  BOOST_TEST(std::count(launched.begin(), launched.end(), '\n') == 1);
  BOOST_TEST(has(launched, "two words " + fs::canonical(bench.command({})[0]).string() + " run "));
  BOOST_TEST(has(launched, " --arm none --runs "));
  BOOST_TEST(again.count("arm-finished", "status", "cached") == 1U);
  BOOST_TEST(again.count("arm-started", "arm", "none") == 1U);
  // An option holds for all arms, whatever they set themselves.
  const Outcome mended = run(bench.command({"--set", "stages.pairs.policy=best-vs-worst"}));
  BOOST_TEST(mended.status == 0);
  BOOST_TEST(bench.statuses()["none-too"] == "done");
}

BOOST_AUTO_TEST_CASE(a_sweep_is_shown_with_its_arms_and_what_they_share) {
  const Bench bench(
      "  list:\n"
      "    good: {stages.pairs.policy.eta: 0.55}\n"
      "    none: {stages.pairs.policy.eta: 0.9999999}\n"
      "    none-too: {stages.pairs.policy.eta: 0.9999999, stages.aligned.max_steps: 2}\n"
      "  until: [aligned]\n");
  BOOST_TEST(run(bench.command({})).status == 3);
  const std::string folder = (bench.folder / "runs" / "swept").string(), command = bench.command({})[0];
  const std::string text = said({command, "show", folder});
  BOOST_TEST(has(text, "swept: a sweep, failed: 3 arms, 1 done, 1 failed, 1 blocked; started "));
  BOOST_TEST(has(text, "stage `pairs`: policy reward-gap kept nothing"));
  BOOST_TEST(has(text, "needs a stage that failed in none"));
  BOOST_TEST(has(text, "report.html: " + folder + "/report.html\n"));
  BOOST_TEST(has(text, "one arm: plumb show " + folder + "/good\n"));
  const Value shown = plumb::parse_json(said({command, "show", folder, "--json"}));
  BOOST_TEST(shown.at("arms").as_list()[1].at("failed_stage").as_string() == "pairs");
  for (const Value& stage : shown.at("stages").as_list()) {
    const std::string& name = stage.at("stage").as_string();
    // Two arms began: they share all up to the pairs, of which one has some.
    BOOST_TEST(stage.at("arms").as_int() == 2);
    BOOST_TEST(stage.at("different").as_int() == (name == "pairs" || name == "aligned" ? 2 : 1));
    BOOST_TEST(stage.at("made").as_int() == 1);
  }
  BOOST_TEST(has(said({command, "show", folder + "/good"}), "aligned (train -> model): "));
  // A threshold belongs to the scale of the rewards, which the pairs therefore tell.
  const Value good = plumb::parse_json(said({command, "show", folder + "/good", "--json"}));
  for (const Value& stage : good.at("stages").as_list()) {
    if (stage.at("stage") != Value("pairs")) continue;
    BOOST_TEST(stage.at("manifest").at("summary").at("normalise").as_string() == "standardise");
  }
  // A record that says it runs while nobody does.
  std::string record = plumb::read_file(folder + "/sweep.json").value();
  const auto put = [&](const std::string& from, const std::string& to) {
    record.replace(record.find(from), from.size(), to);
  };
  put("\"status\": \"failed\"", "\"status\": \"running\"");
  put("\"process\": ", "\"process\": 99999999");
  plumb::write_file(folder + "/sweep.json", record).value();
  BOOST_TEST(has(said({command, "show", folder}), "swept: a sweep, killed: "));
}

// An option that `plumb run` gains must reach arms, too.
BOOST_AUTO_TEST_CASE(a_sweep_takes_what_a_run_takes) {
  const auto options_of = [](const std::string& verb) {
    std::set<std::string> out;
    std::istringstream lines(said({std::getenv("PLUMB_COMMAND"), verb, "--help"}));
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("  --")) out.insert(line.substr(4, line.find(' ', 4) - 4));
    }
    return out;
  };
  std::set<std::string> missing = options_of("run");
  BOOST_TEST(missing.size() > 8U);
  for (const std::string& option : options_of("sweep")) missing.erase(option);
  // Those that the sweep itself gives to its arms.
  BOOST_TEST(missing == (std::set<std::string>{"arm", "rank-timeout", "resolved-sha256"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_interrupted_sweep_stops_its_arms_and_goes_on) {
  const Bench bench("  seeds: [1, 2]\n  until: [reward]\n");
  const Outcome stopped = run(bench.command({}), SIGINT, "stage-finished");
  BOOST_TEST(stopped.status == 130);
  BOOST_TEST(stopped.count("arm-finished", "status", "stopped") == 1U);
  BOOST_TEST(bench.statuses()["seed=2"] == "waiting");
  const Outcome on = run(bench.command({}));
  BOOST_TEST(on.status == 0);
  BOOST_TEST(made(on) > 0U);
  BOOST_TEST(bench.statuses()["seed=1"] == "done");
  BOOST_TEST(bench.statuses()["seed=2"] == "done");
}

BOOST_AUTO_TEST_CASE(a_launcher_is_told_to_stop_with_the_signal_that_it_passes_on) {
  const Bench bench("  seeds: [1]\n  until: [reward]\n");
  const Outcome stopped = run(bench.command({"--launch", bench.launcher()}), SIGINT, "stage-finished");
  BOOST_TEST(stopped.status == 130);
  BOOST_TEST(stopped.count("arm-finished", "status", "stopped") == 1U);
  BOOST_TEST(bench.statuses()["seed=1"] == "stopped");
}

BOOST_AUTO_TEST_CASE(a_launcher_that_does_not_launch_is_found_out) {
  const Bench bench("  seeds: [1, 2]\n  until: [prompts]\n");
  BOOST_TEST(said({bench.command({})[0], "plan", (bench.folder / "sweep.yaml").string(), "--arms"}) ==
             "seed=1\nseed=2\n");
  BOOST_TEST(run(bench.command({"--launch", "no-such-program -n1"})).status == 2);
  BOOST_TEST(run(bench.command({"--launch", ""})).status == 2);
  BOOST_TEST(run(bench.command({"--launch", "env 'a"})).status == 2);
  BOOST_TEST(!fs::exists(bench.folder / "runs"));
  BOOST_TEST(run(bench.command({"--launch", "true"})).status == 3);
  BOOST_TEST(
      has(bench.record().at("arms").as_list()[0].at("error").as_string(), "the launcher ended before the arm did"));
  BOOST_TEST(run(bench.command({"--launch", "env PLUMB_TEST_OF=launch", "--jobs", "2"})).status == 0);
}

BOOST_AUTO_TEST_CASE(a_sweep_is_no_run) {
  const Bench bench("  seeds: [1, 2]\n");
  auto command = bench.command({});
  command[1] = "run";
  BOOST_TEST(run(command).status == 2);
  command.erase(std::find(command.begin(), command.end(), "--json"));
  command.insert(command.end(), {"--arm", "seed=3"});
  BOOST_TEST(run(command).status == 2);
  command.back() = "seed=2";
  command.insert(command.end(), {"--until", "bpe", "--quiet", "--resolved-sha256", "0"});
  BOOST_TEST(run(command).status == 2);  // the recipe is not the one that a sweep was started with
}

BOOST_AUTO_TEST_SUITE_END()
