// Signals that ask a run to stop. SIGTERM and SIGUSR1 (schedulers) end with status 75, SIGINT with 130; a second signal
// ends the process at once.
//
//   watch_for_interruption();
//   while (interruption() == 0) …
//
// Thread contract: [any].
#pragma once

#include "plumb/error.h"

namespace plumb {

void watch_for_interruption();
int interruption();             // the signal's number, or 0
ErrorCode interruption_code();  // preempted or interrupted

}  // namespace plumb
