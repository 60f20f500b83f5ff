// A command that runs beside this process, and the lines it prints.
//
//   ChildProcess child({"/usr/bin/plumb", "run", "recipe.yaml", "--json"});
//   while (!child.ended()) {
//     ChildProcess::wait_for_any({&child}, 200);
//     for (const std::string& line : child.lines()) …     // of its standard output
//   }
//   child.status()                                         // as the shell has it: 128 + signal when one ended it
//
// The child has a process group of its own, so that Ctrl-C reaches it through stop() alone and once; it ends with
// SIGTERM when this process dies. Its standard input is empty.
// Thread contract: one thread; no other thread may wait for the process's children.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace plumb {

class ChildProcess {
 public:
  // Throws Error(run_failed) when the process cannot be started.
  explicit ChildProcess(const std::vector<std::string>& command);
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();  // kills a child that still runs

  // Returns when one of them printed or ended, after `milliseconds`, or when a signal arrived.
  static void wait_for_any(const std::vector<ChildProcess*>& children, int milliseconds);

  std::vector<std::string> lines();  // complete ones since the last call, without their ends
  [[nodiscard]] const std::string& errors() const { return errors_; }  // the end of its standard error
  bool ended();
  [[nodiscard]] int status() const { return status_; }
  [[nodiscard]] pid_t process() const { return process_; }  // its number, also of one that ended
  void stop(int signal);

 private:
  void read_all();

  pid_t process_ = -1;
  int out_ = -1, err_ = -1;
  std::string pending_, errors_;
  bool ended_ = false;
  int status_ = -1;
};

}  // namespace plumb
