#include "framework/core/isolation/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "plumb/error.h"

namespace plumb {
namespace {

constexpr std::size_t kErrorsKept = 8192;
constexpr int kChannel = 3;  // where the child finds it

Error cannot_start(const std::string& command, int error_number) {
  return {ErrorCode::run_failed,
          fmt::format("cannot start {}: {}", command, std::generic_category().message(error_number))};
}

// Appends what can be read now; closes the descriptor at its end.
void drain(int& fd, std::string& into) {
  std::array<char, 4096> buffer;
  while (fd >= 0) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n > 0) {
      into.append(buffer.data(), static_cast<std::size_t>(n));
    } else if (n < 0 && errno == EINTR) {
      continue;
    } else if (n < 0 && errno == EAGAIN) {
      return;
    } else {
      ::close(fd);
      fd = -1;
    }
  }
}

}  // namespace

// Between fork and exec only what a signal handler may do: another thread may have held any lock.
ChildProcess::ChildProcess(const std::vector<std::string>& command, int channel) : has_channel_(channel >= 0) {
  std::vector<char*> argv;
  argv.reserve(command.size() + 1);
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  std::array<int, 2> out{}, err{};
  if (::pipe2(out.data(), O_CLOEXEC) != 0) throw cannot_start(command[0], errno);
  if (::pipe2(err.data(), O_CLOEXEC) != 0) {
    const int number = errno;
    for (int fd : out) ::close(fd);
    throw cannot_start(command[0], number);
  }
  const std::string failed = fmt::format("cannot run {}\n", command[0]);
  const pid_t parent = ::getpid();
  process_ = ::fork();
  if (process_ == 0) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(127);  // the parent died before the line above
    const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(out[1], STDOUT_FILENO);
    ::dup2(err[1], STDERR_FILENO);
    if (channel >= 0 && ::dup2(channel, kChannel) == kChannel)
      ::fcntl(kChannel, F_SETFD, 0);  // also where they are one
    ::execv(argv[0], argv.data());
    static_cast<void>(!::write(STDERR_FILENO, failed.data(), failed.size()));
    ::_exit(127);
  }
  const int number = errno;
  ::close(out[1]);
  ::close(err[1]);
  out_ = out[0];
  err_ = err[0];
  if (process_ < 0) {
    ::close(out_);
    ::close(err_);
    throw cannot_start(command[0], number);
  }
  for (int fd : {out_, err_}) ::fcntl(fd, F_SETFL, O_NONBLOCK);
}

ChildProcess::~ChildProcess() {
  if (!ended_) {
    has_channel_ ? stop_all(SIGKILL) : stop(SIGKILL);
    while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  if (out_ >= 0) ::close(out_);
  if (err_ >= 0) ::close(err_);
}

void ChildProcess::wait_for_any(const std::vector<ChildProcess*>& children, int milliseconds) {
  std::vector<pollfd> watched;
  for (const ChildProcess* child : children) {
    for (int fd : {child->out_, child->err_}) {
      if (fd >= 0) watched.push_back({fd, POLLIN, 0});
    }
  }
  ::poll(watched.data(), watched.size(), milliseconds);
}

void ChildProcess::read_all() {
  drain(out_, pending_);
  drain(err_, errors_);
  if (errors_.size() <= kErrorsKept) return;
  const std::size_t surplus = errors_.size() - kErrorsKept;
  errors_.erase(0, surplus);
  errors_seen_ -= std::min(errors_seen_, surplus);
}

std::string ChildProcess::new_errors() {
  read_all();
  std::string out = errors_.substr(errors_seen_);
  errors_seen_ = errors_.size();
  return out;
}

std::vector<std::string> ChildProcess::lines() {
  read_all();
  std::vector<std::string> out;
  std::size_t start = 0;
  for (std::size_t end; (end = pending_.find('\n', start)) != std::string::npos; start = end + 1) {
    out.push_back(pending_.substr(start, end - start));
  }
  pending_.erase(0, start);
  return out;
}

bool ChildProcess::ended() {
  if (ended_) return true;
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(process_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) {
    return false;
  }
  // Until it is waited for, its number is nobody else's.
  if (has_channel_) ::kill(-process_, SIGKILL);
  int status = 0;
  if (::waitpid(process_, &status, 0) != process_) return false;
  signal_ = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + signal_;
  ended_ = true;
  read_all();
  return true;
}

void ChildProcess::stop(int signal) {
  if (!ended_) ::kill(process_, signal);
}

void ChildProcess::stop_all(int signal) {
  if (ended_) return;
  ::kill(-process_, signal);
  ::kill(process_, signal);  // it may not have its group yet
}

}  // namespace plumb
