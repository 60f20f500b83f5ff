// The command as a child, for tests of what it says of a recipe before anything runs.
//
//   const Outcome outcome = run({command(), "validate", (kHere / "good" / "base.yaml").string()});
//   BOOST_TEST(outcome.status == 0);
//
// Thread contract: one thread.
#pragma once

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace plumb::test {

inline const std::filesystem::path kHere = std::filesystem::path(PLUMB_SOURCE_DIR) / "tests" / "recipes";
inline const std::filesystem::path kRecipes = std::filesystem::path(PLUMB_SOURCE_DIR) / "recipes";

// A folder of runs that is not there and that nothing here makes.
inline std::filesystem::path no_runs() {
  return std::filesystem::temp_directory_path() / ("plumb-no-runs-" + std::to_string(::getpid()));
}

struct Outcome {
  int status = -1;
  double seconds = 0;  // of processor time: the machine may be busy with other tests
  std::string text;    // standard output and error
};

inline Outcome run(const std::vector<std::string>& arguments) {
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[0]);
    std::vector<char*> argv;
    for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
    argv.push_back(nullptr);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  Outcome out;
  char buffer[4096];
  for (ssize_t n; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    out.text.append(buffer, static_cast<std::size_t>(n));
  ::close(ends[0]);
  int status = 0;
  rusage used{};
  ::wait4(child, &status, 0, &used);
  out.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  out.seconds = seconds(used.ru_utime) + seconds(used.ru_stime);
  return out;
}

inline std::string command() {
  const char* given = std::getenv("PLUMB_COMMAND");
  return given == nullptr ? std::string(PLUMB_SOURCE_DIR) + "/build/release/bin/plumb" : given;
}

#if defined(__SANITIZE_ADDRESS__)
constexpr double kSlack = 10;
#else
constexpr double kSlack = 1;
#endif

}  // namespace plumb::test
