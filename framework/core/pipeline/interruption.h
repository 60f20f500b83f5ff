// Signals that ask a run to stop, which then writes its state. SIGTERM, SIGUSR1 (schedulers), SIGHUP (the terminal is
// gone) and SIGPIPE (nobody reads what it prints) end with status 75, SIGINT with 130. A further signal ends the
// process at once when a second or more lies between them: what sends two together asks once. A SIGPIPE never does.
//
//   watch_for_interruption();
//   while (interruption() == 0) …
//
// A SIGHUP or SIGPIPE that was ignored when the process started (nohup) stays ignored.
// Thread contract: [any].
#pragma once

#include "plumb/error.h"

namespace plumb {

void watch_for_interruption();
// As if the signal had come, when none has: another rank got it. Those of this process's own count from the next one on.
void interrupt_too(int signal);
int interruption();             // the signal's number, or 0
ErrorCode interruption_code();  // preempted or interrupted

}  // namespace plumb
