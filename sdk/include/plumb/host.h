// What the framework offers a running component.
//
//   host.log(plumb::LogLevel::info, "read 10,300 prompts");
//   if (host.cancelled()) return;
//
// Thread contract: every method may be called from any thread. The host outlives the components it made.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace plumb {
inline namespace v1 {

enum class LogLevel { debug, info, warning, error };

class Host {
 public:
  virtual ~Host();

  virtual void log(LogLevel level, std::string_view message) = 0;

  // Work done out of work to do, for the progress line. total 0: unknown.
  virtual void progress(std::string_view what, std::size_t done, std::size_t total) = 0;

  // True once the user or the scheduler asked to stop: return soon, leaving durable state as it is.
  [[nodiscard]] virtual bool cancelled() const = 0;

  // Runs body(i) for i in [0, count) on the process's one pool. Exceptions come back to the caller.
  virtual void parallel_for(std::size_t count, const std::function<void(std::size_t)>& body) = 0;

  // A folder of this component's own for temporary files; removed when the stage ends.
  [[nodiscard]] virtual std::string scratch_folder() = 0;

  // The recipe's folder; relative paths in parameters start here.
  [[nodiscard]] virtual std::string recipe_folder() const = 0;

  // An optional service by name and revision, e.g. "language-models/2" (plumb/language_models.h), or null.
  [[nodiscard]] virtual void* query(std::string_view service) = 0;
};

}  // namespace v1
}  // namespace plumb
