// What belongs to the whole process and not to a plugin: taken before, compared after.
//
//   const State before = process_state();
//   …
//   std::string changed = difference(before, process_state());   // "working directory: was /a, is /b"
//
// Thread contract: one thread.
#pragma once

#include <map>
#include <set>
#include <string>

namespace plumb::check {

using State = std::map<std::string, std::string>;

// Working directory, locale, environment, signal handlers and mask, floating-point mode, terminate handler, the
// sequence of rand(), umask; with the tensor kit loaded also LibTorch's random state, gradient mode and threads.
State process_state();
std::string difference(const State& before, const State& after);

// Threads of this process; waits up to 300 ms for the number to come down to `wanted`. The one with which jemalloc gives
// back memory belongs to whatever library brings that allocator along, and stays as the library does.
std::size_t thread_count(std::size_t wanted = 0);

// Descriptors that are open, each with what it stands for.
std::set<std::string> open_files();
// What is in `after` only, comma-separated.
std::string opened(const std::set<std::string>& before, const std::set<std::string>& after);

// Bytes that the process's allocator has handed out.
std::size_t allocated_bytes();

// Keeps what is written to standard output and standard error, below C++ streams and stdio alike, while it lives.
class CapturedOutput {
 public:
  CapturedOutput();
  ~CapturedOutput();
  CapturedOutput(const CapturedOutput&) = delete;
  CapturedOutput& operator=(const CapturedOutput&) = delete;
  std::string text();

 private:
  int file_, out_, err_;
};

}  // namespace plumb::check
