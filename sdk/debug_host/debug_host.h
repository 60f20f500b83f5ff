// The debug host: components that check, at every call, what the headers say about threads and lifetimes.
//
//   if (debug_host::wanted()) {                                    // PLUMB_DEBUG_HOST=1, `plumb run --debug-host`
//     component = debug_host::watch({info, "judge `gold` of org.x 1.0.0", "gold"}, host, make);
//   }
//
// What is watched: a [lane] object is in one call at a time and not entered again from inside; a [setup] method runs
// alone and before work starts; nothing is called after its end, and nothing ends while a call is in it; a generator
// hands over each prompt once, one at a time and only while it generates; an evaluator asks its context only while it
// evaluates; nobody calls the host after its component's end; models that the host lends are [lane]. Of the answers
// those are looked at that no stage checks anyway: token ids, shapes, losses, judgements.
//
// A call that the framework makes wrongly, or a wrong answer, is thrown as Error: run_failed when the framework is at
// fault, plugin when the plugin is. What a plugin does wrong in a call of its own, on a thread of its own perhaps, ends
// the process with the same status, because an exception could be lost there. A debugger stops at
// plumb::debug_host::violated.
//
// Watched objects are never freed, only what they stand for is, so that a call after the end is seen.
// Thread contract: [any].
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "plumb/registrar.h"

namespace plumb::debug_host {

// Whether the environment asks for it.
bool wanted();

// Whom a violation is about.
struct Subject {
  ComponentInfo info;
  std::string title;  // "generator `echo` of org.example.echo 1.0.0"
  std::string stage;  // may be empty
};

struct Violation {
  enum class Fault { framework, plugin };
  enum class About { contract, answer };  // who called what when, or what was answered
  Fault fault;
  About about;
  std::string title, stage;
  std::string method;         // "generate", "Host::log"
  std::string wanted, found;  // "one call at a time ([lane])", "a call on thread 17 \"worker\" while …"
  [[nodiscard]] std::string text() const;
};

// Hears of violations in place of what is said above; the call then goes on as well as it can. Empty: back to that.
// Returns the one before.
using Handler = std::function<void(const Violation&)>;
Handler set_handler(Handler handler);

// Makes a component with a host that is watched, and returns it watched. A kind that the debug host does not know comes
// back as it was made.
using Make = std::function<std::unique_ptr<Component>(Host&)>;
std::unique_ptr<Component> watch(const Subject& subject, Host& host, const Make& make);

}  // namespace plumb::debug_host
