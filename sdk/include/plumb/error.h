// The one exception type of the SDK.
//
//   if (rows.empty()) throw plumb::Error(plumb::ErrorCode::data, "train.jsonl holds no rows; it needs at least one");
//
// A plugin may throw anything; the host turns it into an Error that names the plugin and the stage. A message says what
// was found, what was wanted, where, and what to do next.
// Thread contract: values; safe to copy between threads.
#pragma once

#include <stdexcept>
#include <string>

namespace plumb {
inline namespace v1 {

// Each code is also the exit status of a command that ends with it.
enum class ErrorCode : int {
  run_failed = 1,   // the computation failed (NaN, out of memory, a violated invariant)
  recipe = 2,       // the recipe or the command line is wrong
  arms_failed = 3,  // some arms of a sweep failed
  data = 4,         // a data file, a model folder, or input/output is wrong
  plugin = 5,       // a plugin could not be loaded or misbehaved
  preempted = 75,   // stopped on request; the same command goes on
  interrupted = 130
};

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  [[nodiscard]] ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace v1
}  // namespace plumb
