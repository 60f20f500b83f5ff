// A child process of a test, with its standard error, and its standard output where it matters, in files.
//
//   Process worker({PLUMB_FAULTS_WORKER, folder, "10"}, {.errors = folder / "stderr"}, {"PLUMB_CRASH_AT=3"});
//   worker.signal(SIGKILL);
//   int status = worker.wait();                 // exit status, or 128 + the signal that ended it
//
// The files exist once the constructor returns, however soon the child is killed. Thread contract: one thread.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace plumb::test {

class Process {
 public:
  struct Streams {
    std::filesystem::path errors;
    std::filesystem::path output = {};  // empty: the parent's
  };

  Process(std::vector<std::string> command, const Streams& streams, std::vector<std::string> environment = {}) {
    std::vector<char*> arguments;
    for (std::string& argument : command) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    const int errors = create(streams.errors);
    const int output = streams.output.empty() ? -1 : create(streams.output);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(errors, STDERR_FILENO);
      if (output >= 0) ::dup2(output, STDOUT_FILENO);
      for (std::string& setting : environment) ::putenv(setting.data());
      ::execv(arguments[0], arguments.data());
      ::_exit(127);
    }
    ::close(errors);
    if (output >= 0) ::close(output);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    wait();
  }

  [[nodiscard]] pid_t number() const { return pid_; }
  void signal(int number) const { ::kill(pid_, number); }

  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    return ended(status);
  }

  // As wait() when it has ended, else nothing.
  std::optional<int> poll() {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == 0) return std::nullopt;
    return ended(status);
  }

 private:
  static int create(const std::filesystem::path& file) {
    const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) throw std::system_error(errno, std::generic_category(), file.string());
    return fd;
  }

  int ended(int status) {
    pid_ = -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

  pid_t pid_ = -1;
};

}  // namespace plumb::test
