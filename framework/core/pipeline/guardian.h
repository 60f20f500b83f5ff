// A process that waits for the one that runs a recipe. Whatever ends that one (a crash, the kernel, a plugin that calls
// exit) is said with the stage and the plugin, and never passes for success.
//
//   int main() { return run_guarded([] { return run_everything(); }); }      // before any thread has been started
//
// and in the guarded process, when a stage begins:
//
//   note_running({.stage = "aligned", .plugins = "org.example.attack 1.0.0", .memory = "~1.5 GiB"});
//
// Signals that a scheduler sends to the guardian are passed on; those of a terminal reach both processes anyway. When
// the guardian is killed, so is the other. Under a debugger, which
// follows only one, there is one process.
// Thread contract: run_guarded is [setup]; note_running is called by one thread.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

namespace plumb {

// What `work` returns, or what its process ended with: 5 when it ended without returning or crashed in a plugin, else
// 128 + the signal. Says on standard error what ended it.
int run_guarded(const std::function<int()>& work);

struct RunningNow {
  std::string stage;    // empty: between stages
  std::string plugins;  // "ID VERSION, …"
  std::string memory;   // what the stage was thought to need; empty: unknown
};
void note_running(const RunningNow& now);

// The work is over with this status although it does not return: called just before _exit, also by a signal's handler.
void note_end(int status);

// The number by which this process is known from outside: the guardian's when there is one.
pid_t known_process();

}  // namespace plumb
