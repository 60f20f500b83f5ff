// A child process of a test, with its standard error in a file.
//
//   Process worker({PLUMB_FAULTS_WORKER, folder, "10"}, folder / "stderr", {"PLUMB_CRASH_AT=3"});
//   worker.signal(SIGKILL);
//   int status = worker.wait();                 // exit status, or 128 + the signal that ended it
//
// Thread contract: one thread.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

namespace plumb::test {

class Process {
 public:
  Process(std::vector<std::string> command, const std::filesystem::path& error_file,
          std::vector<std::string> environment = {}) {
    std::vector<char*> arguments;
    for (std::string& argument : command) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ != 0) return;
    const int fd = ::open(error_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    ::dup2(fd, STDERR_FILENO);
    for (std::string& setting : environment) ::putenv(setting.data());
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    wait();
  }

  void signal(int number) const { ::kill(pid_, number); }

  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

 private:
  pid_t pid_ = -1;
};

}  // namespace plumb::test
