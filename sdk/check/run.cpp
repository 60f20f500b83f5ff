// Which tests run, in which order, and what becomes of each in its child process.
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <regex>
#include <sstream>

#include "plumb/error.h"
#include "sdk/check/context.h"

namespace plumb::check {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::vector<Kind> all_kinds() {
  std::vector<Kind> kinds{selection_kind(), reward_kind(),      judge_kind(),     evaluator_kind(),
                          tokenizer_kind(), data_source_kind(), generator_kind(), stage_kind()};
  if (const TensorKit* kit = open_tensor_kit()) kinds.insert(kinds.end(), kit->kinds.begin(), kit->kinds.end());
  return kinds;
}

void no_tests(Context& c) {
  throw Skip{"no tests for a component of kind " + c.component->kind +
             "; kinds that see tensors need libplumb_check_tensor.so and LibTorch beside the command"};
}

void works(Context& c) {
  if (c.needs("server")) throw Skip{"its answers come from a server, which the kit does not have"};
  c.make_and_use();
}

// Tests of a component in their order: can it be made, does it answer, always the same, and then the rest.
std::vector<Test> tests_of(const Kind* kind) {
  std::vector<Test> out = parameter_tests();
  const std::vector<Test> component = component_tests();
  out.insert(out.end() - 1, component.front());  // the last one of the parameters makes components with many of them
  if (kind == nullptr) {
    out.push_back({"component.kind", "the kit has tests for its kind", no_tests});
    return out;
  }
  out.push_back({kind->group + ".works", "answers ordinary questions without an exception", works, true});
  out.insert(out.end(), component.begin() + 1, component.end());
  out.insert(out.end(), kind->tests.begin(), kind->tests.end());
  const std::vector<Test> lifecycle = lifecycle_tests();
  out.insert(out.end(), lifecycle.begin(), lifecycle.end());
  return out;
}

// Runs a test here; what it throws becomes the verdict.
Status attempt(const Test& test, Context& c, std::string& message) {
  try {
    test.run(c);
    return Status::passed;
  } catch (const Skip& skip) {
    message = skip.reason;
    return Status::skipped;
  } catch (...) {
    message = caught();
    return Status::failed;
  }
}

std::string last_line(int file) {
  std::string text(4096, '\0');
  const off_t size = lseek(file, 0, SEEK_END);
  const ssize_t got = pread(file, text.data(), text.size(), std::max<off_t>(0, size - 4096));
  text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1);
}

[[noreturn]] void be_child(const Test& test, Context& c, int report, int output) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  std::string message;
  const Status status = attempt(test, c, message);
  message.insert(message.begin(), static_cast<char>('0' + static_cast<int>(status)));
  for (std::size_t done = 0; done < message.size();) {
    const ssize_t wrote = write(report, message.data() + done, message.size() - done);
    if (wrote <= 0) break;
    done += static_cast<std::size_t>(wrote);
  }
  close(report);
  if (c.exit_normally) std::exit(0);
  _exit(0);
}

// When a test's time is up. A child that wants the processor and does not get it, on a busy machine, is given more.
class Deadline {
 public:
  Deadline(pid_t child, double seconds) : child_(child), seconds_(seconds), end_(Clock::now() + duration(seconds)) {}

  [[nodiscard]] int milliseconds_left() const {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end_ - Clock::now()).count();
    return static_cast<int>(std::max<long>(0, left));
  }
  bool over() {
    if (Clock::now() < end_) return false;
    if (extended_ >= 9 * seconds_ || !starved()) return true;
    extended_ += 1;
    end_ = Clock::now() + duration(1);
    return false;
  }

 private:
  static Clock::duration duration(double seconds) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  }
  // It had less than half its time on the processor and was mostly waiting for it when looked at.
  [[nodiscard]] bool starved() const {
    int wanting = 0;
    constexpr int looks = 20;
    double used = 0;
    for (int i = 0; i < looks; ++i) {
      std::ifstream in("/proc/" + std::to_string(child_) + "/stat");
      std::string text{std::istreambuf_iterator<char>(in), {}};
      text.erase(0, text.rfind(')') + 1);  // the name may hold anything
      std::istringstream fields(text);
      std::string state, skipped;
      fields >> state;
      for (int k = 0; k < 10; ++k) fields >> skipped;
      double user = 0, system = 0;
      fields >> user >> system;
      used = (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
      if (state == "R" || state == "D") ++wanting;
      usleep(5000);
    }
    return wanting * 2 > looks && used < seconds_ / 2;
  }

  pid_t child_;
  double seconds_, extended_ = 0;
  Clock::time_point end_;
};

// Everything the child reports until it closes its end, or until time is up.
std::string read_report(int report, Deadline& deadline, bool& in_time) {
  std::string out;
  for (;;) {
    pollfd wait{report, POLLIN, 0};
    const int ready = poll(&wait, 1, deadline.milliseconds_left());
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      if (!deadline.over()) continue;
      in_time = false;
      return out;
    }
    char buffer[4096];
    const ssize_t got = read(report, buffer, sizeof buffer);
    if (got <= 0) return out;
    out.append(buffer, static_cast<std::size_t>(got));
  }
}

// The child's end, or nothing when it does not come in time.
std::optional<int> wait_for(pid_t child, Deadline& deadline) {
  int status = 0;
  for (;;) {
    if (waitpid(child, &status, WNOHANG) == child) return status;
    if (deadline.milliseconds_left() == 0 && deadline.over()) return std::nullopt;
    usleep(500);
  }
}

void judge_end(int ended, bool reported, const std::string& output, Verdict& verdict) {
  const std::string said = output.empty() ? "" : "; last words: " + output;
  if (WIFSIGNALED(ended)) {
    const char* when = reported ? " while the process ended" : "";
    verdict.status = Status::crashed;
    verdict.message = std::string("killed by ") + strsignal(WTERMSIG(ended)) + when + said;
  } else if (!reported || WEXITSTATUS(ended) != 0) {
    verdict.status = Status::crashed;
    verdict.message = "ended the process with status " + std::to_string(WEXITSTATUS(ended)) + said;
  }
}

void run_in_child(const Test& test, Context& c, Verdict& verdict) {
  int pipe_ends[2];
  const int output = memfd_create("plumb-check-output", MFD_CLOEXEC);
  if (output < 0 || pipe2(pipe_ends, O_CLOEXEC) != 0) throw Error(ErrorCode::run_failed, std::strerror(errno));
  std::cout.flush();
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) throw Error(ErrorCode::run_failed, std::string("fork: ") + std::strerror(errno));
  if (child == 0) {
    close(pipe_ends[0]);
    be_child(test, c, pipe_ends[1], output);
  }
  setpgid(child, child);
  close(pipe_ends[1]);
  Deadline deadline(child, c.options.timeout);
  bool in_time = true;
  const std::string report = read_report(pipe_ends[0], deadline, in_time);
  const std::optional<int> ended = wait_for(child, deadline);
  kill(-child, SIGKILL);
  if (!ended) waitpid(child, nullptr, 0);
  if (!report.empty()) {
    verdict.status = static_cast<Status>(report[0] - '0');
    verdict.message = report.substr(1);
  }
  if (!ended) {
    verdict.status = Status::timed_out;
    verdict.message = "no answer within " + exact(c.options.timeout) + " s";
    if (in_time && !report.empty()) verdict.message += ": the process does not end";
  } else {
    judge_end(*ended, !report.empty(), last_line(output), verdict);
  }
  close(pipe_ends[0]);
  close(output);
}

class Run {
 public:
  Run(const Subject& subject, const Options& options, const std::function<void(const Verdict&)>& done)
      : subject_(subject), options_(options), done_(done) {
    try {
      filter_ = std::regex(options.filter);
    } catch (const std::regex_error& error) {
      throw Error(ErrorCode::recipe, "--filter: \"" + options.filter + "\" is no regular expression: " + error.what());
    }
  }

  // Stops building on a gate that failed: the rest is skipped with its name.
  bool tests(const std::vector<Test>& tests, const Kind* kind, const ComponentInfo* component, std::string blocked) {
    for (const Test& test : tests) {
      const std::string of =
          component == nullptr ? "" : component->kind.substr(0, component->kind.find('/')) + " " + component->name;
      if (!options_.filter.empty() && !std::regex_search(test.name + " " + of, filter_)) continue;
      Verdict verdict{test.name, of, Status::skipped, blocked, 0};
      const auto start = Clock::now();
      if (blocked.empty()) one(test, kind, component, verdict);
      verdict.seconds = since(start);
      if (test.gate && blocked.empty() && verdict.status != Status::passed) {
        blocked = verdict.status == Status::skipped ? verdict.message : "because of " + test.name;
      }
      if (done_) done_(verdict);
      verdicts.push_back(std::move(verdict));
    }
    blocked_ = blocked;
    return blocked.empty();
  }
  [[nodiscard]] const std::string& blocked() const { return blocked_; }

  std::vector<Verdict> verdicts;

 private:
  void one(const Test& test, const Kind* kind, const ComponentInfo* component, Verdict& verdict) {
    Context context(subject_, options_, kind, component);
    if (options_.in_process) {
      verdict.status = attempt(test, context, verdict.message);
    } else {
      run_in_child(test, context, verdict);
    }
  }

  const Subject& subject_;
  const Options& options_;
  const std::function<void(const Verdict&)>& done_;
  std::regex filter_;
  std::string blocked_;
};

}  // namespace

const char* status_name(Status status) {
  switch (status) {
    case Status::passed:
      return "passed";
    case Status::failed:
      return "failed";
    case Status::crashed:
      return "crashed";
    case Status::timed_out:
      return "timed-out";
    case Status::skipped:
      return "skipped";
  }
  return "";
}

std::vector<Verdict> run(const Subject& subject, const Options& options,
                         const std::function<void(const Verdict&)>& done) {
  // Before the first fork: LibTorch takes longer to load than most tests to run.
  if (subject.fingerprint.find("torch=none") == std::string::npos && subject.fingerprint_problem.empty())
    want_tensor_kit();
  Run run(subject, options, done);
  run.tests(file_tests(), nullptr, nullptr, "");
  run.tests(load_tests(), nullptr, nullptr, run.blocked());
  const std::string unusable = run.blocked();
  const std::vector<Kind> kinds = all_kinds();
  for (const ComponentInfo& component : subject.components) {
    const auto kind =
        std::find_if(kinds.begin(), kinds.end(), [&](const Kind& known) { return known.kind == component.kind; });
    const Kind* known = kind == kinds.end() ? nullptr : &*kind;
    run.tests(tests_of(known), known, &component, unusable);
  }
  return std::move(run.verdicts);
}

std::vector<TestName> all_tests() {
  want_tensor_kit();
  std::vector<TestName> out;
  const auto add = [&](const std::vector<Test>& tests) {
    for (const Test& test : tests) out.push_back({test.name, test.what});
  };
  add(file_tests());
  add(load_tests());
  add(parameter_tests());
  add(component_tests());
  for (const Kind& kind : all_kinds()) {
    out.push_back({kind.group + ".works", "answers ordinary questions without an exception"});
    add(kind.tests);
  }
  add(lifecycle_tests());
  return out;
}

}  // namespace plumb::check
