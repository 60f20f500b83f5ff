// What every component must do, whatever its kind.
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

#include "plumb/error.h"
#include "sdk/check/context.h"
#include "sdk/check/process_state.h"
#include "sdk/debug_host/debug_host.h"

namespace plumb::check {
namespace {

void creates(Context& c) {
  try {
    require(c.make().component != nullptr, "made nothing");
  } catch (const Error& error) {
    const bool given = c.options.params.find(c.component->name) != nullptr;
    if (given) throw;
    bool asks = false;  // for a file or a folder that nobody can make up
    for (const ParamInfo& info : c.component->params) asks = asks || info.type == ParamType::path;
    if (asks) throw Skip{"it wants parameters (give them with --params): " + std::string(error.what())};
    throw;
  }
}

void repeatable(Context& c) {
  Made made = c.make();
  const std::string first = c.use(made);
  const bool remembers = c.component->kind.starts_with("data-source") || c.component->kind.starts_with("optimizer");
  require(remembers || c.use(made) == first, "asked again, it answers something else");
  require(c.make_and_use() == first, "another one of the same parameters answers something else");
}

void independent(Context& c) {
  const std::string alone = c.make_and_use();
  Made one = c.make();
  {
    Made other = c.make();
    c.use(other);
  }
  require(c.use(one) == alone, "it answers something else after another one was used and destroyed");
}

void other_thread(Context& c) {
  const std::string here = c.make_and_use();
  Made made = c.make();
  std::string there;
  std::exception_ptr failed;
  std::thread([&] {
    try {
      there = c.use(made);
      made.component.reset();
    } catch (...) {
      failed = std::current_exception();
    }
  }).join();
  if (failed) std::rethrow_exception(failed);
  require(there == here, "used from another thread it answers something else");
}

// What the headers say of threads: who may call what, from where, until when. Answers are the other tests' concern.
void thread_contract(Context& c) {
  struct Heard {
    std::mutex mutex;
    std::string first;
  };
  c.registrar();
  const auto heard = std::make_shared<Heard>();  // a thread that is left may still speak
  const auto before = debug_host::set_handler([heard](const debug_host::Violation& violation) {
    if (violation.about != debug_host::Violation::About::contract) return;
    const std::lock_guard lock(heard->mutex);
    if (heard->first.empty()) heard->first = violation.text();
  });
  const std::size_t threads = thread_count();
  c.watched = true;
  const auto silent = [&] {
    const std::lock_guard lock(heard->mutex);
    return heard->first.empty();
  };
  for (int i = 0; i < 5 && silent(); ++i) c.make_and_use();  // threads may miss each other
  c.watched = false;
  thread_count(threads);  // waits for those that go on
  debug_host::set_handler(before);
  const std::lock_guard lock(heard->mutex);
  require(heard->first.empty(), heard->first);
}

void many(Context& c) {
  for (int i = 0; i < 100; ++i) c.make();
}

}  // namespace

std::vector<Test> component_tests() {
  return {
      {"component.creates", "can be made from its parameters", creates, true},
      {"component.repeatable", "the same questions have the same answers, from any instance", repeatable, true},
      {"component.independent", "instances do not disturb each other", independent, true},
      {"component.thread-contract", "calls the host, and what the host lends, only as their headers allow",
       thread_contract},
      {"component.other-thread", "can be used and destroyed on another thread than it was made on", other_thread},
      {"component.many", "can be made and destroyed a hundred times", many, true},
  };
}

}  // namespace plumb::check
