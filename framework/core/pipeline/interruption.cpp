#include "framework/core/pipeline/interruption.h"

#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>

#include "framework/core/pipeline/guardian.h"

namespace plumb {
namespace {

std::atomic<int> received{0};
std::atomic<std::int64_t> received_at{0};  // milliseconds
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<std::int64_t>::is_always_lock_free);

constexpr std::int64_t together = 1000;  // milliseconds: signals closer than that are one request

int status_of(int signal) {
  return static_cast<int>(signal == SIGINT ? ErrorCode::interrupted : ErrorCode::preempted);
}

std::int64_t milliseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1000000;
}

extern "C" void plumb_on_signal(int signal) {
  const int saved = errno;
  const std::int64_t now = milliseconds();
  int none = 0;
  if (received.compare_exchange_strong(none, signal)) {
    received_at = now;
  } else if (received_at == 0) {  // the first of its own, or one that came together with it
    received_at = now;
  } else if (signal != SIGPIPE && now - received_at >= together) {
    note_end(status_of(signal));
    ::_exit(status_of(signal));
  }
  errno = saved;
}

void watch(int signal) {
  struct sigaction before {};
  ::sigaction(signal, nullptr, &before);
  const bool optional = signal == SIGHUP || signal == SIGPIPE;
  if (optional && before.sa_handler == SIG_IGN) return;
  struct sigaction action {};
  action.sa_handler = plumb_on_signal;
  sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

void watch_for_interruption() {
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1, SIGHUP, SIGPIPE}) watch(signal);
  std::signal(SIGXFSZ, SIG_IGN);  // past `ulimit -f` a write fails with its errno, as on a full disk
}

void interrupt_too(int signal) {
  int none = 0;
  received.compare_exchange_strong(none, signal);
}

int interruption() {
  return received.load();
}

ErrorCode interruption_code() {
  return received.load() == SIGINT ? ErrorCode::interrupted : ErrorCode::preempted;
}

}  // namespace plumb
