// Runs a test case in several processes, the ranks of one group.
//
//   BOOST_AUTO_TEST_CASE(sums) {
//     on_ranks(2, [](Collective& group) { BOOST_TEST(group.world() == 2); });
//   }
//
// The case starts this program once a rank, for itself alone; each of those joins and runs the function. Checks that fail
// there fail the case here. Thread contract: one thread.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "framework/core/ranks/test_port.h"
#include "framework/engine/distributed/collective.h"

namespace plumb::test {

// The environment of this process with a rank's variables, which replace those that are there.
inline std::vector<std::string> environment_of_rank(int rank, int world, int port) {
  std::vector<std::string> out;
  for (char** variable = environ; *variable != nullptr; ++variable) out.emplace_back(*variable);
  for (const auto& [name, value] : {std::pair<std::string, std::string>{"RANK", std::to_string(rank)},
                                    {"WORLD_SIZE", std::to_string(world)},
                                    {"LOCAL_RANK", std::to_string(rank)},
                                    {"MASTER_ADDR", "127.0.0.1"},
                                    {"MASTER_PORT", std::to_string(port)},
                                    {"OMP_NUM_THREADS", "1"}}) {
    std::erase_if(out, [&, start = name + "="](const std::string& known) { return known.starts_with(start); });
    out.push_back(name + "=" + value);
  }
  return out;
}

inline pid_t start(std::vector<std::string> words, std::vector<std::string> environment) {
  std::vector<char*> arguments, variables;
  for (std::string& word : words) arguments.push_back(word.data());
  for (std::string& variable : environment) variables.push_back(variable.data());
  arguments.push_back(nullptr);
  variables.push_back(nullptr);
  pid_t process = 0;
  BOOST_REQUIRE(::posix_spawn(&process, arguments[0], nullptr, nullptr, arguments.data(), variables.data()) == 0);
  return process;
}

using RankBody = std::function<void(Collective&)>;

// The statuses with which the ranks ended, as waitpid gives them.
inline std::vector<int> run_ranks(int world, const RankBody& body, const JoinOptions& options = {}) {
  if (std::getenv("PLUMB_TEST_RANKS") != nullptr) {
    const auto group = join(place_from_environment(), options);
    body(*group);
    return {};
  }
  const std::string name = "--run_test=" + boost::unit_test::framework::current_test_case().full_name();
  const int port = free_port();
  std::vector<pid_t> processes;
  for (int rank = 0; rank < world; ++rank) {
    auto environment = environment_of_rank(rank, world, port);
    environment.emplace_back("PLUMB_TEST_RANKS=1");
    processes.push_back(start({"/proc/self/exe", name}, environment));
  }
  std::vector<int> statuses;
  for (const pid_t process : processes) {
    int status = 0;
    ::waitpid(process, &status, 0);
    statuses.push_back(status);
  }
  return statuses;
}

inline void on_ranks(int world, const RankBody& body, const JoinOptions& options = {}) {
  for (const int status : run_ranks(world, body, options)) BOOST_TEST(status == 0);
}

}  // namespace plumb::test
