// The conformance kit: named tests that any plugin must pass, each in a child process of its own.
//
//   plumb::check::Subject subject{.file = "reward-gap.plumb.so", …};          // what the loader read from the file
//   auto verdicts = plumb::check::run(subject, {.seed = 7}, [](const auto& verdict) { … });
//
// A crash, an endless loop or a call of exit() is a verdict like any other. A test that others build on is a gate: when
// it fails, those are skipped, so that one fault gives one failure.
// Thread contract: run forks; call it from a process with one thread that has not loaded the plugin.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "plumb/registrar.h"
#include "plumb/value.h"

namespace plumb::check {

// What the loader says of the file without running it. An empty problem is none.
struct Subject {
  std::filesystem::path file;
  std::string id, version, licence, summary, fingerprint, manifest;
  std::string file_problem;               // name, kind of file, permissions
  std::string note_problem;               // the note and the manifest in it
  std::string fingerprint_problem;        // field by field
  std::string schema_problem;             // missing, unreadable, of another build
  std::vector<ComponentInfo> components;  // as NAME.schema.json lists them
};

// What an earlier version said of itself.
struct Earlier {
  std::string source;  // where that was read
  std::string version;
  std::vector<ComponentInfo> components;
};

struct Options {
  std::uint64_t seed = 1;
  std::string filter;       // regular expression searched in "test component"; empty: all
  bool in_process = false;  // no child processes, no time limits: for a debugger
  double timeout = 8;       // seconds for one test
  // Parameters by component name, for those that cannot be made from their defaults; a model's HF config under
  // `config`.
  Value params;
  std::filesystem::path params_folder;  // where relative paths in `params` start
  std::optional<Earlier> earlier;       // whose recipes must go on working
};

enum class Status { passed, failed, crashed, timed_out, skipped };
const char* status_name(Status status);  // "timed-out"

struct Verdict {
  std::string test;       // "selection.indices"
  std::string component;  // "selection-policy reward-gap"; empty: of the whole file
  Status status = Status::passed;
  std::string message;  // why it failed or was skipped
  double seconds = 0;   // wall clock
  [[nodiscard]] bool bad() const { return status != Status::passed && status != Status::skipped; }
};

// Verdicts in the order of the tests; `done` hears of each as it comes. Throws Error(recipe) for a malformed filter.
std::vector<Verdict> run(const Subject& subject, const Options& options,
                         const std::function<void(const Verdict&)>& done);

// Name and one line of what it checks, of every test of the kit.
struct TestName {
  std::string name, what;
};
std::vector<TestName> all_tests();

}  // namespace plumb::check
