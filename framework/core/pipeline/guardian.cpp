#include "framework/core/pipeline/guardian.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iostream>
#include <new>

#include "plumb/error.h"
#include "sdk/debug_host/debug_host.h"

namespace plumb {
namespace {

// Shared by both processes: written by the one that works, read by the other once that one is dead.
struct Note {
  std::atomic<bool> ended{false};
  std::atomic<int> status{0};
  std::atomic<int> crash{0};         // the signal
  std::atomic<bool> watched{false};  // by the debug host, which ends a process in which a plugin breaks its contract
  std::array<char, 256> stage{};
  std::array<char, 1024> plugins{};
  std::array<char, 64> memory{};
  std::array<char, 512> library{};  // of the plugin in which it crashed
};
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

Note* note = nullptr;
pid_t guardian = 0;

constexpr std::string_view plugin_ending = ".plumb.so";

template <std::size_t size>
void put(std::array<char, size>& place, std::string_view text) {
  const std::size_t length = std::min(text.size(), size - 1);
  std::memcpy(place.data(), text.data(), length);
  place[length] = '\0';
}

// dladdr may wait for a lock that the crashed code holds; the alarm ends that.
extern "C" void plumb_on_crash(int signal) {
  note->crash = signal;
  ::alarm(5);
  std::array<void*, 64> frames{};
  const int count = ::backtrace(frames.data(), static_cast<int>(frames.size()));
  for (int i = 0; i < count; ++i) {
    Dl_info info{};
    if (::dladdr(frames[static_cast<std::size_t>(i)], &info) == 0 || info.dli_fname == nullptr) continue;
    const std::string_view file(info.dli_fname);
    if (!file.ends_with(plugin_ending)) continue;
    put(note->library, file);
    break;
  }
  ::raise(signal);  // by now the default: ends the process when the handler returns
}

void watch_for_crashes() {
  std::array<void*, 1> frame{};
  ::backtrace(frame.data(), 1);  // loads what it needs now, not in a handler
  static std::array<char, std::size_t{1} << 16> handler_stack;
  const stack_t stack{.ss_sp = handler_stack.data(), .ss_flags = 0, .ss_size = handler_stack.size()};
  ::sigaltstack(&stack, nullptr);  // for a stack that is full
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) {
    struct sigaction before {};
    ::sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_DFL) continue;  // a sanitizer's
    struct sigaction action {};
    action.sa_handler = plumb_on_crash;
    action.sa_flags = static_cast<int>(SA_ONSTACK | SA_RESETHAND);
    sigemptyset(&action.sa_mask);
    ::sigaction(signal, &action, nullptr);
  }
}

// By a debugger or strace.
bool is_traced() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("TracerPid:")) return line.find_first_of("123456789") != std::string::npos;
  }
  return false;
}

// How many processes the kernel has killed because memory ran out.
std::int64_t killed_for_memory() {
  std::ifstream counters("/proc/vmstat");
  for (std::string name; counters >> name;) {
    std::int64_t value = 0;
    if (!(counters >> value)) break;
    if (name == "oom_kill") return value;
  }
  return 0;
}

class Guardian {
 public:
  Guardian(pid_t worker, const sigset_t& signals) : worker_(worker), signals_(signals) {}

  int wait() {
    for (;;) {
      int status = 0;
      if (::waitpid(worker_, &status, WNOHANG) == worker_) return verdict(status);
      siginfo_t info{};
      const int signal = ::sigwaitinfo(&signals_, &info);
      const bool from_a_process = info.si_code <= 0;  // a terminal's reach the worker without our help
      if (signal > 0 && signal != SIGCHLD && from_a_process) ::kill(worker_, signal);
    }
  }

 private:
  [[nodiscard]] int verdict(int status) const {
    const bool exited = WIFEXITED(status);
    if (exited && note->ended && WEXITSTATUS(status) == note->status) return note->status;
    const int crash = note->crash;
    const int signal = crash != 0 ? crash : exited ? 0 : WTERMSIG(status);
    std::cerr << "plumb: " + message(signal, exited ? WEXITSTATUS(status) : 0) + "\n";
    const bool of_plugin = signal == 0 || note->library[0] != '\0';
    return of_plugin ? static_cast<int>(ErrorCode::plugin) : 128 + signal;
  }

  [[nodiscard]] std::string message(int signal, int status) const {
    const std::string stage(note->stage.data()), plugins(note->plugins.data()), library(note->library.data());
    std::string text = stage.empty() ? note->ended ? "after the last stage" : "outside of the stages"
                                     : fmt::format("stage `{}`", stage);
    if (signal == 0) {
      text += fmt::format(": the process ended with status {} before its work was done; {}", status,
                          note->watched ? "the debug host ended it, as it says above, or a plugin called exit"
                                        : "a plugin must have called exit");
    } else if (signal == SIGKILL) {
      text += killed_for_memory() > killed_before_ ? ": the kernel killed the process because memory ran out"
                                                   : ": the process was killed (SIGKILL)";
      if (note->memory[0] != '\0') text += fmt::format("; the stage was estimated at {}", note->memory.data());
    } else {
      const char* name = ::sigabbrev_np(signal);
      text += fmt::format(": the process crashed with SIG{} ({})", name == nullptr ? std::to_string(signal) : name,
                          ::strsignal(signal));
      if (!library.empty()) text += " in the plugin " + library;
    }
    if (library.empty() && !plugins.empty() && signal != SIGKILL) text += ". Plugins of the stage: " + plugins;
    return text + ". What was finished is kept; the same command goes on from there";
  }

  pid_t worker_;
  sigset_t signals_;
  std::int64_t killed_before_ = killed_for_memory();
};

sigset_t signals_to_wait_for() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGUSR1, SIGHUP}) {
    struct sigaction before {};
    ::sigaction(signal, nullptr, &before);
    if (signal == SIGCHLD || before.sa_handler != SIG_IGN) sigaddset(&set, signal);
  }
  return set;
}

}  // namespace

int run_guarded(const std::function<int()>& work) {
  if (is_traced()) return work();
  void* page = ::mmap(nullptr, sizeof(Note), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return work();
  note = new (page) Note;
  std::signal(SIGCHLD, SIG_DFL);  // ignored, it would take away what waitpid tells
  const sigset_t signals = signals_to_wait_for();
  sigset_t before;
  ::sigprocmask(SIG_BLOCK, &signals, &before);
  const pid_t self = ::getpid(), worker = ::fork();
  if (worker > 0) return Guardian(worker, signals).wait();
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (worker < 0) {
    note = nullptr;
    return work();
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != self) ::_exit(128 + SIGKILL);
  guardian = self;
  watch_for_crashes();
  const int status = work();
  note_running({});
  note_end(status);
  return status;
}

void note_running(const RunningNow& now) {
  if (note == nullptr) return;
  note->watched = debug_host::wanted();
  put(note->stage, now.stage);
  put(note->plugins, now.plugins);
  put(note->memory, now.memory);
}

void note_end(int status) {
  if (note == nullptr) return;
  note->status = status;
  note->ended = true;
}

pid_t known_process() {
  return guardian != 0 ? guardian : ::getpid();
}

}  // namespace plumb
