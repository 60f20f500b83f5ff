#include "framework/core/isolation/child_process.h"

#include <boost/test/unit_test.hpp>
#include <csignal>

using plumb::ChildProcess;

namespace {

std::vector<std::string> run(ChildProcess& child) {
  std::vector<std::string> out;
  for (bool over = false; !over;) {
    ChildProcess::wait_for_any({&child}, 50);
    over = child.ended();
    for (std::string& line : child.lines()) out.push_back(std::move(line));
  }
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(child_process)

BOOST_AUTO_TEST_CASE(lines_errors_and_status_arrive) {
  ChildProcess child({"/bin/sh", "-c", "printf 'one\\ntw'; sleep 0.1; printf 'o\\nrest'; echo wrong >&2; exit 7"});
  const auto lines = run(child);
  BOOST_REQUIRE_EQUAL(lines.size(), 2U);
  BOOST_TEST(lines[0] == "one");
  BOOST_TEST(lines[1] == "two");
  BOOST_TEST(child.errors() == "wrong\n");
  BOOST_TEST(child.status() == 7);
}

BOOST_AUTO_TEST_CASE(much_output_does_not_block_it) {
  ChildProcess child({"/bin/sh", "-c", "yes 0123456789 | head -n 50000; yes e | head -n 50000 >&2"});
  BOOST_TEST(run(child).size() == 50000U);
  BOOST_TEST(child.errors().size() == 8192U);
  BOOST_TEST(child.status() == 0);
}

BOOST_AUTO_TEST_CASE(a_signal_reaches_it_and_its_status_says_so) {
  ChildProcess child({"/bin/sh", "-c", "trap 'exit 75' TERM; echo ready; while :; do sleep 0.05; done"});
  while (child.lines().empty()) ChildProcess::wait_for_any({&child}, 50);
  child.stop(SIGTERM);
  run(child);
  BOOST_TEST(child.status() == 75);
  ChildProcess killed({"/bin/sleep", "60"});
  killed.stop(SIGKILL);
  run(killed);
  BOOST_TEST(killed.status() == 128 + SIGKILL);
}

BOOST_AUTO_TEST_CASE(a_command_that_is_not_there_says_so) {
  ChildProcess child({"/nowhere/plumb", "run"});
  run(child);
  BOOST_TEST(child.status() == 127);
  BOOST_TEST(child.errors() == "cannot run /nowhere/plumb\n");
}

BOOST_AUTO_TEST_SUITE_END()
