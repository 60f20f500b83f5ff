// A command that runs beside this process, and the lines it prints.
//
//   ChildProcess child({"/usr/bin/plumb", "run", "recipe.yaml", "--json"});
//   while (!child.ended()) {
//     ChildProcess::wait_for_any({&child}, 200);
//     for (const std::string& line : child.lines()) …     // of its standard output
//   }
//   child.status()                                         // as the shell has it: 128 + signal when one ended it
//
//   ChildProcess talker(command, socket);      // has `socket` as descriptor 3; what it started ends with it
//
// The child has a process group of its own, so that Ctrl-C reaches it through stop() alone and once; it ends with
// SIGTERM when this process dies, or only the thread that started it. Its standard input is empty.
// Thread contract: one thread; no other thread may wait for the process's children.
#pragma once

#include <sys/types.h>

#include <array>
#include <string>
#include <vector>

namespace plumb {

class ChildProcess {
 public:
  // Throws Error(run_failed) when the process cannot be started.
  explicit ChildProcess(const std::vector<std::string>& command, int channel = -1);
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();  // kills a child that still runs

  // Returns when one of them printed or ended, after `milliseconds`, or when a signal arrived.
  static void wait_for_any(const std::vector<ChildProcess*>& children, int milliseconds);

  std::vector<std::string> lines();  // complete ones since the last call, without their ends
  [[nodiscard]] const std::string& errors() const { return errors_; }  // the end of its standard error
  std::string new_errors();                                            // what came to errors() since the last call
  [[nodiscard]] std::array<int, 2> outputs() const { return {out_, err_}; }  // to poll; -1: at its end
  bool ended();
  [[nodiscard]] int status() const { return status_; }
  [[nodiscard]] int signal() const { return signal_; }  // that ended it; 0: none
  void stop(int signal);
  void stop_all(int signal);  // what it started, too

 private:
  void read_all();

  pid_t process_ = -1;
  bool has_channel_;
  int out_ = -1, err_ = -1;
  std::string pending_, errors_;
  std::size_t errors_seen_ = 0;  // of errors_
  bool ended_ = false;
  int status_ = -1, signal_ = 0;
};

}  // namespace plumb
