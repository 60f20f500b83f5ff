#include "sdk/debug_host/watch.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "plumb/error.h"

namespace plumb::debug_host {
namespace {

std::mutex& global_mutex() {
  static auto& mutex = *new std::mutex;  // plugins' threads may outlive static objects
  return mutex;
}

Handler& handler() {
  static auto& set = *new Handler;
  return set;
}

}  // namespace

Handler exchange_handler(Handler wanted) {
  const std::lock_guard lock(global_mutex());
  return std::exchange(handler(), std::move(wanted));
}

void keep(std::shared_ptr<void> object) {
  static auto& kept = *new std::vector<std::shared_ptr<void>>;
  const std::lock_guard lock(global_mutex());
  kept.push_back(std::move(object));
}

void violated(const Violation& violation, bool may_throw) {
  Handler set;
  {
    const std::lock_guard lock(global_mutex());
    set = handler();
  }
  if (set) return set(violation);
  const ErrorCode code = violation.fault == Violation::Fault::plugin ? ErrorCode::plugin : ErrorCode::run_failed;
  if (may_throw) throw Error(code, violation.text());
  const std::string line = "plumb: " + violation.text() + "\n";
  std::fputs(line.c_str(), stderr);
  std::fflush(stderr);
  std::_Exit(static_cast<int>(code));
}

Thread Thread::current() {
  std::array<char, 64> name{};
  pthread_getname_np(pthread_self(), name.data(), name.size());
  return {static_cast<int>(gettid()), name.data()};
}

std::string Thread::text() const {
  return "thread " + std::to_string(id) + " \"" + name + "\"";
}

// What is wrong with entering, as wanted and found.
std::optional<std::pair<std::string, std::string>> Watch::problem(const Thread& thread, const char* method,
                                                                  Tag tag) const {
  const std::string here = "a call on " + thread.text();
  if (ending_) return {{"no call after its end", here + "; " + ending_->text() + " has destroyed it"}};
  if (tag == Tag::setup && worked_) {
    return {{std::string(method) + " before work starts ([setup])", here + " after it was given work"}};
  }
  for (const Inside& other : inside_) {
    const bool beside_setup = tag == Tag::setup || other.tag == Tag::setup;
    if (!beside_setup && (tag == Tag::any || other.tag == Tag::any)) continue;
    const std::string alone = beside_setup ? "nothing beside a call of [setup]" : "one call at a time ([lane])";
    if (other.thread.id == thread.id) {
      return {{alone, here + " from inside its " + other.method + ": it is entered again"}};
    }
    return {{alone, here + " while " + other.thread.text() + " is inside " + other.method}};
  }
  return std::nullopt;
}

Watch::Call::Call(Watch& watch, const char* method, Tag tag) : watch_(watch) {
  const Thread thread = Thread::current();
  std::optional<std::pair<std::string, std::string>> wrong;
  {
    const std::lock_guard lock(watch_.mutex_);
    wrong = watch_.problem(thread, method, tag);
  }
  if (wrong) {
    watch_.accuse(watch_.caller_, method, wrong->first, wrong->second, watch_.caller_ == Violation::Fault::framework);
  }
  {
    const std::lock_guard lock(watch_.mutex_);
    number_ = watch_.calls_++;
    watch_.worked_ = watch_.worked_ || tag != Tag::setup;
    watch_.inside_.push_back({number_, thread, method, tag});
  }
  if (watch_.dwells_) dwell();
}

Watch::Call::~Call() {
  const std::lock_guard lock(watch_.mutex_);
  std::erase_if(watch_.inside_, [&](const Inside& one) { return one.number == number_; });
}

void Watch::require(bool holds, const char* method, const std::string& wanted, const std::string& found) {
  if (holds) return;
  violated({Violation::Fault::plugin, Violation::About::answer, subject_.title, subject_.stage, method, wanted, found},
           true);
}

void Watch::accuse(Violation::Fault fault, const char* method, const std::string& wanted, const std::string& found,
                   bool may_throw) {
  violated({fault, Violation::About::contract, subject_.title, subject_.stage, method, wanted, found}, may_throw);
}

bool Watch::calls_host(const char* method) {
  std::optional<Thread> ended;
  {
    const std::lock_guard lock(mutex_);
    ended = ended_;
  }
  if (!ended) return true;
  accuse(Violation::Fault::plugin, method, "no call of the host after the component's end",
         "a call on " + Thread::current().text() + "; " + ended->text() +
             " has destroyed the component. Its threads must have ended by then");
  return false;
}

void Watch::ending() {
  const Thread thread = Thread::current();
  std::string inside;
  {
    const std::lock_guard lock(mutex_);
    ending_ = thread;
    if (!inside_.empty()) inside = inside_.front().thread.text() + " is inside " + inside_.front().method;
  }
  if (!inside.empty()) {
    accuse(caller_, "its end", "no call in it when it is destroyed", thread.text() + " destroys it while " + inside);
  }
}

void Watch::ended() {
  const std::lock_guard lock(mutex_);
  ended_ = ending_;
}

}  // namespace plumb::debug_host
