// `plumb plugins check` as tests use it.
//
//   const Checked checked = check_plugin("x.plumb.so", "--params p.json");
//   checked.bad                                     // {"selection.indices failed: …"}
//
// Thread contract: one thread.
#pragma once

#include <string>
#include <vector>

#include "plumb/value.h"
#include "tests/plugins/plumb_command.h"

namespace plumb::test {

struct Checked {
  int status = 0;
  std::int64_t passed = 0, skipped = 0;
  std::vector<std::string> bad;  // "TEST STATUS"
  std::string why;               // the messages of what is bad
  std::string errors;            // standard error of the command
};

inline Checked check_plugin(const std::filesystem::path& file, const std::string& arguments = "") {
  const Outcome outcome = plumb_command("plugins check " + file.string() + " --json " + arguments);
  Checked out{outcome.status, 0, 0, {}, {}, outcome.err};
  if (outcome.out.empty()) return out;
  const Value result = parse_json(outcome.out);
  out.passed = result.at("passed").as_int();
  out.skipped = result.at("skipped").as_int();
  for (const Value& test : result.at("tests").as_list()) {
    const std::string& status = test.at("status").as_string();
    if (status == "passed" || status == "skipped") continue;
    out.bad.push_back(test.at("test").as_string() + " " + status);
    out.why += test.at("test").as_string() + ": " + test.at("message").as_string() + "\n";
  }
  return out;
}

}  // namespace plumb::test
