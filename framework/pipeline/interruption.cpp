#include "framework/pipeline/interruption.h"

#include <unistd.h>

#include <atomic>
#include <csignal>

namespace plumb {
namespace {

std::atomic<int> received{0};
static_assert(std::atomic<int>::is_always_lock_free);

int status_of(int signal) {
  return static_cast<int>(signal == SIGINT ? ErrorCode::interrupted : ErrorCode::preempted);
}

extern "C" void plumb_on_signal(int signal) {
  if (received.exchange(signal) != 0) ::_exit(status_of(signal));
}

}  // namespace

void watch_for_interruption() {
  struct sigaction action {};
  action.sa_handler = plumb_on_signal;
  sigemptyset(&action.sa_mask);
  for (int signal : {SIGTERM, SIGINT, SIGUSR1}) ::sigaction(signal, &action, nullptr);
  std::signal(SIGXFSZ, SIG_IGN);  // past `ulimit -f` a write fails with its errno, as on a full disk
}

int interruption() {
  return received.load();
}

ErrorCode interruption_code() {
  return received.load() == SIGINT ? ErrorCode::interrupted : ErrorCode::preempted;
}

}  // namespace plumb
