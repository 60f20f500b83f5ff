#include "framework/core/isolation/process_pool.h"

#include <fmt/format.h>

namespace plumb {
namespace {

// No call in between came to its end: what is wrong is not this or that call.
constexpr int kCrashesInARow = 10, kHangsInARow = 3;
constexpr int kWarnings = 5;

}  // namespace

ProcessPool::ProcessPool(IsolatedSubject subject, Host& host) : subject_(std::move(subject)), host_(host) {
  try {
    std::unique_ptr<ComponentProcess> first = take();
    made_ = first->made();
    give_back(std::move(first));
  } catch (const CallFailed& failed) {
    throw Error(ErrorCode::plugin, failed.why);
  }
}

ProcessPool::~ProcessPool() {
  for (const auto& process : idle_) process->end();
}

std::unique_ptr<ComponentProcess> ProcessPool::take() {
  {
    const std::scoped_lock lock(mutex_);
    if (!given_up_.empty()) throw Error(ErrorCode::plugin, given_up_);
    if (!idle_.empty()) {
      std::unique_ptr<ComponentProcess> last = std::move(idle_.back());
      idle_.pop_back();
      return last;
    }
  }
  return std::make_unique<ComponentProcess>(subject_, ComponentProcess::Surroundings{host_, shared_, keeper_});
}

void ProcessPool::give_back(std::unique_ptr<ComponentProcess> process) {
  const std::scoped_lock lock(mutex_);
  crashes_in_a_row_ = hangs_in_a_row_ = 0;
  idle_.push_back(std::move(process));
}

// Throws when this was one too many.
void ProcessPool::count(const CallFailed& failed) {
  const std::scoped_lock lock(mutex_);
  if (warnings_ < kWarnings) {
    const char* more = ++warnings_ == kWarnings ? " (further failures are not listed)" : "";
    host_.log(LogLevel::warning, subject_.title() + ": " + failed.why + more);
  }
  ++(failed.hung ? hangs_in_a_row_ : crashes_in_a_row_);
  if (given_up_.empty() && (crashes_in_a_row_ >= kCrashesInARow || hangs_in_a_row_ >= kHangsInARow)) {
    given_up_ =
        fmt::format("{} is given up: {} calls in a row failed, and none in between came to its end; the last: {}",
                    subject_.title(), crashes_in_a_row_ + hangs_in_a_row_, failed.why);
  }
  if (!given_up_.empty()) throw Error(ErrorCode::plugin, given_up_);
}

void ProcessPool::call_and_read(Operation operation, const std::string& args, const std::string& during,
                                EvaluationContext* context, const std::function<void(WireReader&)>& read) {
  std::unique_ptr<ComponentProcess> process;
  try {
    process = take();
    const std::string result = process->call(operation, args, during, context);
    try {
      WireReader in(result);
      read(in);
      in.end();
    } catch (const Error& error) {
      throw CallFailed{error.what()};
    }
  } catch (const CallFailed& failed) {
    process.reset();
    count(failed);
    throw;
  } catch (...) {  // the component said no, or the framework failed it: the process is as it was
    if (process != nullptr && process->usable()) give_back(std::move(process));
    throw;
  }
  give_back(std::move(process));
}

}  // namespace plumb
