// The real command as a child process, over a folder of runs of its own.
//
//   Command plumb("tests/faults/resume.yaml");
//   Outcome done = plumb.run({"--until", "sft"}, {"PLUMB_CRASH_AT=7", "PLUMB_FAULT_PATH=/model-"});
//   BOOST_TEST(done.status == 128 + SIGKILL);
//   std::string files = plumb.products("sft");
//
// Settings of the environment that begin with PLUMB_CRASH_AT or PLUMB_FAIL_FROM preload io_faults.cpp.
// Thread contract: one thread.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "framework/core/artifacts/artifact.h"
#include "framework/core/artifacts/disk.h"
#include "framework/core/artifacts/test_folder.h"
#include "plumb/value.h"
#include "tests/faults/process.h"

namespace plumb::test {

// Thousands of flushes to a disk take minutes; what is killed is the process, not the machine, so memory will do.
struct InMemory {
  InMemory() {
    if (::access("/dev/shm", W_OK) == 0) ::setenv("TMPDIR", "/dev/shm", 1);
  }
};

struct Outcome {
  int status = -1;
  std::string errors, output;

  [[nodiscard]] bool says(const std::string& text) const { return errors.find(text) != std::string::npos; }

  // Of `--json`: the events of one kind.
  [[nodiscard]] std::vector<Value> events(const std::string& kind) const {
    std::vector<Value> found;
    std::istringstream lines(output);
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with('{')) continue;
      Value event = parse_json(line);
      if (event.at("event").as_string() == kind) found.push_back(std::move(event));
    }
    return found;
  }
  // The stages that this run made, in order; not those that it took from the cache or from another run.
  [[nodiscard]] std::vector<std::string> made() const {
    std::vector<std::string> stages;
    for (const Value& event : events("stage-finished")) {
      if (event.at("outcome").as_string() != "made by another run meanwhile") {
        stages.push_back(event.at("stage").as_string());
      }
    }
    return stages;
  }
  // Updates for which a stage reported metrics.
  [[nodiscard]] std::set<std::int64_t> updates(const std::string& stage) const {
    std::set<std::int64_t> steps;
    for (const Value& event : events("metrics")) {
      if (event.at("stage").as_string() == stage) steps.insert(event.at("step").as_int());
    }
    return steps;
  }
  // Whether one of the messages contains `text`.
  [[nodiscard]] bool logged(const std::string& text) const {
    const auto all = events("log");
    return std::any_of(all.begin(), all.end(), [&](const Value& event) {
      return event.at("message").as_string().find(text) != std::string::npos;
    });
  }
};

// An environment with settings of io_faults.cpp, and what preloads it.
inline std::vector<std::string> with_faults(std::vector<std::string> settings) {
  settings.insert(settings.end(), {"LD_PRELOAD=" PLUMB_FAULTS_IO, "ASAN_OPTIONS=verify_asan_link_order=0"});
  return settings;
}

inline void wait_for(const std::filesystem::path& file) {
  for (int i = 0; i < 6000 && !std::filesystem::exists(file); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  BOOST_REQUIRE(std::filesystem::exists(file));
}

class Command {
 public:
  // `settings`: each a --set of every call.
  explicit Command(std::filesystem::path recipe, std::vector<std::string> settings = {})
      : recipe_(std::move(recipe)), settings_(std::move(settings)) {}

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }
  [[nodiscard]] std::filesystem::path runs() const { return folder_ / "runs"; }
  [[nodiscard]] std::filesystem::path store() const { return runs() / ".artifacts"; }

  // A verb in the middle of its work. `mark` keeps the streams of several apart.
  [[nodiscard]] Process start(const std::string& verb, const std::vector<std::string>& arguments = {},
                              std::vector<std::string> environment = {}, const std::string& mark = "") const {
    std::vector<std::string> words{PLUMB_COMMAND, verb, recipe_.string()};
    if (verb != "validate") words.insert(words.end(), {"--runs", runs().string()});
    for (const std::string& setting : settings_) words.insert(words.end(), {"--set", setting});
    words.insert(words.end(), arguments.begin(), arguments.end());
    const bool faults = std::any_of(environment.begin(), environment.end(), [](const std::string& setting) {
      return setting.starts_with("PLUMB_CRASH_AT") || setting.starts_with("PLUMB_FAIL_FROM");
    });
    if (faults) environment = with_faults(std::move(environment));
    return {std::move(words), {errors(mark), output(mark)}, std::move(environment)};
  }

  Outcome wait(Process& process, const std::string& mark = "") const {
    const int status = process.wait();
    return {status, read_file(errors(mark)).value(), read_file(output(mark)).value()};
  }

  Outcome call(const std::string& verb, const std::vector<std::string>& arguments = {},
               const std::vector<std::string>& environment = {}) const {
    Process process = start(verb, arguments, environment);
    return wait(process);
  }
  Outcome run(std::vector<std::string> arguments = {}, const std::vector<std::string>& environment = {}) const {
    arguments.emplace_back("--json");
    return call("run", arguments, environment);
  }

  // Where a stage's artifact is, or its unfinished one. The run is called like the recipe's file.
  [[nodiscard]] std::filesystem::path stage(const std::string& name) const { return runs() / recipe_.stem() / name; }

 private:
  [[nodiscard]] std::filesystem::path errors(const std::string& mark) const { return folder_ / ("stderr" + mark); }
  [[nodiscard]] std::filesystem::path output(const std::string& mark) const { return folder_ / ("stdout" + mark); }

  Folder folder_;
  std::filesystem::path recipe_;
  std::vector<std::string> settings_;
};

// Name and hash of every file of an artifact, recomputed; throws when one is not what the manifest says.
inline std::string files_of(const std::filesystem::path& artifact) {
  std::string out;
  for (const ArtifactFile& file : read_manifest(artifact).value().files) {
    const std::string hash = sha256_of_file(artifact / file.name).value();
    if (hash != file.sha256)
      throw Error(ErrorCode::data, (artifact / file.name).string() + ": not its manifest's hash");
    out += fmt::format("{} {}\n", file.name, hash);
  }
  return out;
}

}  // namespace plumb::test
