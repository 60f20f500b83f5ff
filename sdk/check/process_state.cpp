#include "sdk/check/process_state.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cfenv>
#include <chrono>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <locale>
#include <string>
#include <thread>
#include <vector>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "sdk/check/context.h"

extern char** environ;

namespace plumb::check {
namespace {

namespace fs = std::filesystem;

std::string address(const void* pointer) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%p", pointer);
  return text.data();
}

void add_environment(State& state) {
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
    const std::string entry = *at;
    const std::size_t equals = entry.find('=');
    state["environment variable " + entry.substr(0, equals)] =
        equals == std::string::npos ? "" : entry.substr(equals + 1);
  }
}

void add_signals(State& state) {
  sigset_t mask;
  sigemptyset(&mask);
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  std::string blocked;
  for (int signal = 1; signal < SIGRTMIN; ++signal) {
    struct sigaction action {};
    if (sigaction(signal, nullptr, &action) == 0) {
      const std::string handler = address(reinterpret_cast<const void*>(action.sa_handler));
      state["handler of signal " + std::to_string(signal)] = handler == "(nil)" ? "the default" : handler;
    }
    if (sigismember(&mask, signal) == 1) blocked += " " + std::to_string(signal);
  }
  state["blocked signals"] = blocked;
}

// rand() draws from a buffer of ours, so that looking at its state does not change it.
std::string rand_state() {
  alignas(int) static std::array<char, 128> buffer;
  static const bool ours = initstate(20741, buffer.data(), buffer.size()) != nullptr;
  static_cast<void>(ours);
  std::size_t hash = std::hash<std::string_view>()(std::string_view(buffer.data(), buffer.size()));
  return std::to_string(hash);
}

mode_t current_umask() {
  const mode_t mask = umask(0);
  umask(mask);
  return mask;
}

}  // namespace

State process_state() {
  State state;
  std::error_code error;
  state["working directory"] = fs::current_path(error).string();
  state["locale of C"] = setlocale(LC_ALL, nullptr);
  state["locale of C++"] = std::locale().name();
  state["umask"] = std::to_string(current_umask());
  state["floating-point rounding"] = std::to_string(fegetround());
  state["floating-point traps"] = std::to_string(fegetexcept());
#if defined(__x86_64__)
  state["flush-to-zero mode"] = std::to_string(_mm_getcsr() & 0x8040);
#endif
  state["terminate handler"] = address(reinterpret_cast<const void*>(std::get_terminate()));
  state["new handler"] = address(reinterpret_cast<const void*>(std::get_new_handler()));
  state["sequence of rand()"] = rand_state();
  add_environment(state);
  add_signals(state);
  if (const TensorKit* kit = open_tensor_kit()) kit->state(state);
  return state;
}

std::string difference(const State& before, const State& after) {
  std::string out;
  const auto add = [&](const std::string& what) { out += (out.empty() ? "" : "; ") + what; };
  for (const auto& [key, value] : after) {
    const auto old = before.find(key);
    if (old == before.end()) {
      add(key + ": was not set, is " + value);
    } else if (old->second != value) {
      add(key + ": was " + old->second + ", is " + value);
    }
  }
  for (const auto& [key, value] : before) {
    if (after.count(key) == 0) add(key + ": was " + value + ", is not set");
  }
  return out;
}

std::size_t thread_count(std::size_t wanted) {
  std::size_t count = 0;
  for (int i = 0; i < 30; ++i) {
    const fs::directory_iterator tasks("/proc/self/task");
    count = static_cast<std::size_t>(std::count_if(fs::begin(tasks), fs::end(tasks), [](const auto& task) {
      std::string name;
      std::getline(std::ifstream(task.path() / "comm"), name);
      return name != "jemalloc_bg_thd";
    }));
    if (wanted == 0 || count <= wanted) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return count;
}

std::set<std::string> open_files() {
  std::set<std::string> out;
  std::error_code error;
  std::vector<fs::path> entries;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd", error)) entries.push_back(entry.path());
  for (const fs::path& entry : entries) {  // the folder's own descriptor is closed by now
    const fs::path target = fs::read_symlink(entry, error);
    if (!error) out.insert(entry.filename().string() + " (" + target.string() + ")");
  }
  return out;
}

std::string opened(const std::set<std::string>& before, const std::set<std::string>& after) {
  std::string out;
  for (const std::string& file : after) {
    if (before.count(file) == 0) out += (out.empty() ? "" : ", ") + file;
  }
  return out;
}

std::size_t allocated_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

CapturedOutput::CapturedOutput()
    : file_(memfd_create("plumb-check", MFD_CLOEXEC)),
      out_(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)),
      err_(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)) {
  text();
  dup2(file_, STDOUT_FILENO);
  dup2(file_, STDERR_FILENO);
}

CapturedOutput::~CapturedOutput() {
  text();
  dup2(out_, STDOUT_FILENO);
  dup2(err_, STDERR_FILENO);
  for (const int descriptor : {file_, out_, err_}) close(descriptor);
}

std::string CapturedOutput::text() {
  std::cout.flush();
  std::cerr.flush();
  std::fflush(nullptr);
  std::string out(static_cast<std::size_t>(std::max<off_t>(0, lseek(file_, 0, SEEK_END))), '\0');
  const ssize_t got = pread(file_, out.data(), out.size(), 0);
  out.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return out;
}

}  // namespace plumb::check
