// What an isolated component gives is what it gives in this process, and a fault costs the call that it happens in.
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <cstring>
#include <set>
#include <sstream>
#include <thread>

#include "framework/core/catalogue/stage.h"
#include "framework/core/isolation/wire.h"
#include "tests/isolation/isolated_fixture.h"

namespace plumb::test {
namespace {

using Clock = std::chrono::steady_clock;

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Parts stand apart by a bar.
bool has_one_of(const std::string& text, const std::string& parts) {
  std::istringstream in(parts);
  for (std::string part; std::getline(in, part, '|');) {
    if (has(text, part)) return true;
  }
  return false;
}

bool alive(pid_t process) {
  std::ifstream in("/proc/" + std::to_string(process) + "/stat");
  std::string text{std::istreambuf_iterator<char>(in), {}};
  return !text.empty() && text[text.rfind(')') + 2] != 'Z';
}

bool gone_soon(pid_t process) {
  const auto until = Clock::now() + std::chrono::seconds(20);
  while (alive(process) && Clock::now() < until) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  return !alive(process);
}

std::vector<pid_t> numbers(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::vector<pid_t> out;
  for (pid_t one = 0; in >> one;) out.push_back(one);
  return out;
}

ResponseGroup group_of(const std::string& id) {
  ResponseGroup group{{id, {{"user", "q"}}, Value::map({{"x", 1}})}, {}, {}, {}};
  for (int i = 0; i < 6; ++i) group.responses.push_back({std::to_string(i), {i}, FinishReason::stop, i / 7.0});
  return group;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(isolated)

BOOST_AUTO_TEST_CASE(judges_give_the_same_bits) {
  for (const char* name : {"faulty-judge", "patient-judge"}) {
    KeepingHost host;
    const auto here = make<Judge>(name, {}, host);
    const auto there = make<Judge>(name, {{"isolation", "process"}}, host);
    std::vector<JudgeRequest> requests;
    for (int i = 0; i < 50; ++i) requests.push_back(request("r" + std::to_string(i), std::string(i, 'x') + "é"));
    host.messages.clear();
    const auto wanted = judge_all(*here, requests, host), found = judge_all(*there, requests, host);
    BOOST_TEST(packed(found) == packed(wanted));
    const auto* waiting = dynamic_cast<const WaitingJudge*>(there.get());
    BOOST_TEST((waiting != nullptr) == (std::string(name) == "patient-judge"));
    if (waiting != nullptr) BOOST_TEST(waiting->concurrency() == 3U);
    BOOST_TEST(std::count(host.messages.begin(), host.messages.end(), "judged r7") == 2);
    BOOST_TEST(host.warnings.empty());
  }
}

BOOST_AUTO_TEST_CASE(policies_give_the_same_bits) {
  KeepingHost host;
  const auto here = make<SelectionPolicy>("chance", {}, host);
  const auto there = make<SelectionPolicy>("chance", {{"isolation", "process"}}, host);
  for (int i = 0; i < 20; ++i) {
    Random random(static_cast<std::uint64_t>(i));
    random.seek(static_cast<std::uint64_t>(3 * i));
    const ResponseGroup group = group_of("p" + std::to_string(i));
    BOOST_TEST(packed(there->select(group, random)) == packed(here->select(group, random)));
  }
  BOOST_TEST(*there->threshold() == *here->threshold());
}

BOOST_AUTO_TEST_CASE(an_evaluator_reaches_everything_that_it_has_without_isolation) {
  for (const char* judged_by : {"faulty-judge", "patient-judge"}) {
    KeepingHost host;
    const auto judge =
        make<Judge>(judged_by, {{"fault", "foreign"}, {"when", "after/3"}, {"isolation", "process"}}, host);
    SmallEvaluation evaluation(judge.get());
    const auto here = make<Evaluator>("thorough", {{"model", "m"}}, host);
    const auto there = make<Evaluator>("thorough", {{"model", "m"}, {"isolation", "process"}}, host);
    const std::string wanted = packed(here->evaluate(evaluation));
    host.steps = 0;
    const Evaluation found = there->evaluate(evaluation);
    BOOST_TEST(packed(found) == wanted);
    BOOST_TEST(found.failures.at("after/sum") == 1);
    BOOST_TEST(found.failures.at("before/sum") == 0);
    BOOST_TEST(found.files.at("seed.txt") == "18446744073709551601 before /somewhere");
    BOOST_TEST(host.steps > 0);
    BOOST_TEST(host.models.opened == 4);
    BOOST_TEST(content(host.scratch.path() / "thorough.txt") == "was here");
  }
}

BOOST_AUTO_TEST_CASE(what_the_framework_throws_at_a_component_comes_back_as_it_was) {
  KeepingHost host;
  SmallEvaluation evaluation(nullptr);
  evaluation.fails = true;
  const auto there = make<Evaluator>("thorough", {{"isolation", "process"}}, host);
  BOOST_CHECK_THROW(static_cast<void>(there->evaluate(evaluation)), SmallEvaluation::Stopped);
  evaluation.fails = false;  // and its process is as it was
  BOOST_TEST(there->evaluate(evaluation).metrics.size() == 2U);
  const auto absent = make<Evaluator>("thorough", {{"model", "absent"}, {"isolation", "process"}}, host);
  BOOST_TEST(error_of(ErrorCode::data, [&] { static_cast<void>(absent->evaluate(evaluation)); }) ==
             "absent: no such model");
  BOOST_TEST(host.warnings.empty());
}

BOOST_AUTO_TEST_CASE(each_fault_costs_a_judge_one_call_and_says_what_it_was) {
  const std::vector<std::pair<std::string, std::string>> faults{
      {"crash", "was killed by SIGSEGV (Segmentation fault) in judge of request r3"},
      {"abort", "was killed by SIGABRT (Aborted) in judge of request r3"},
      {"exit", "ended with status 3 in judge of request r3"},
      {"quick-exit", "ended with status 0 in judge of request r3"},
      {"terminate", "was killed by SIGABRT"},
      {"number", "threw something that is no std::exception"},
      {"foreign", "threw std::out_of_range: no such row"},
      {"hang", "gave no sign of life for 1 s in judge of request r3 and was killed"},
      {"busy", "gave no sign of life for 1 s in judge of request r3 and was killed"},
      // What becomes of a connection closed under its reader depends on where the reader stood.
      {"close", "gave no sign of life|closed its connection and was killed|ended with status 0"},
      {"fork", "was killed by SIGABRT"}};
  for (const auto& [fault, said] : faults) {
    BOOST_TEST_CONTEXT(fault) {
      KeepingHost host;
      const auto here = make<Judge>("faulty-judge", {}, host);
      const auto there = make<Judge>(
          "faulty-judge", {{"fault", fault}, {"call", 3}, {"isolation", "process"}, {"call_timeout", 1}}, host);
      for (int i = 1; i <= 5; ++i) {
        const Judgement judged = there->judge(request("r" + std::to_string(i)));
        if (i == 3) {
          BOOST_TEST(has_one_of(judged.failure, said), judged.failure);
          BOOST_TEST(has(judged.failure, "judge `faulty-judge` of test.faulty 1.0.0: its process (plugin test.faulty"),
                     judged.failure);
          const bool ended = !has(judged.failure, "threw");
          BOOST_TEST((!ended || has(judged.failure, "about to " + fault)), judged.failure);
          BOOST_TEST(!judged.score.has_value());
        } else {
          BOOST_TEST(packed(judged) == packed(here->judge(request("r" + std::to_string(i)))));
        }
      }
      BOOST_TEST(host.warnings.size() == 1U);
    }
  }
}

BOOST_AUTO_TEST_CASE(an_error_that_the_contract_allows_is_the_callers) {
  KeepingHost host;
  const auto judge = make<Judge>("faulty-judge", {{"fault", "error"}, {"when", "r2"}, {"isolation", "process"}}, host);
  BOOST_TEST(judge->judge(request("r1")).failure.empty());
  BOOST_TEST(error_of(ErrorCode::data, [&] { static_cast<void>(judge->judge(request("r2"))); }) ==
             "rows.txt: no such file");
  BOOST_TEST(judge->judge(request("r3")).failure.empty());
}

BOOST_AUTO_TEST_CASE(a_failed_call_of_a_policy_or_an_evaluator_is_an_error_and_the_next_one_works) {
  KeepingHost host;
  const auto policy =
      make<SelectionPolicy>("chance", {{"fault", "crash"}, {"when", "p2"}, {"isolation", "process"}}, host);
  static_cast<void>(policy->select(group_of("p1"), Random(1)));
  const std::string said =
      error_of(ErrorCode::plugin, [&] { static_cast<void>(policy->select(group_of("p2"), Random(1))); });
  BOOST_TEST(has(said, "was killed by SIGSEGV (Segmentation fault) in select of prompt p2; its last words: about to"),
             said);
  BOOST_TEST(policy->select(group_of("p3"), Random(1)).audit.size() == 30U);

  SmallEvaluation evaluation(nullptr);
  const auto evaluator =
      make<Evaluator>("thorough", {{"fault", "abort"}, {"when", "after"}, {"isolation", "process"}}, host);
  const std::string aborted = error_of(ErrorCode::plugin, [&] { static_cast<void>(evaluator->evaluate(evaluation)); });
  BOOST_TEST(has(aborted, "was killed by SIGABRT (Aborted) in evaluate"), aborted);
}

BOOST_AUTO_TEST_CASE(calls_at_once_have_processes_of_their_own) {
  KeepingHost host;
  const auto pids = host.scratch.path() / "pids";
  std::vector<JudgeRequest> requests;
  for (int i = 0; i < 30; ++i) requests.push_back(request("r" + std::to_string(i)));
  {
    const auto judge =
        make<Judge>("patient-judge",
                    {{"fault", "crash"}, {"when", "r11"}, {"pids", pids.string()}, {"isolation", "process"}}, host);
    const auto judged = judge_all(*judge, requests, host);
    for (std::size_t i = 0; i < judged.size(); ++i)
      BOOST_TEST(judged[i].failure.empty() == (i != 11), judged[i].failure);
    const auto processes = numbers(pids);
    BOOST_TEST(processes.size() >= 3U);
    BOOST_TEST(processes.size() <= 4U);
    BOOST_TEST(std::count(processes.begin(), processes.end(), ::getpid()) == 0);
  }
  for (const pid_t process : numbers(pids)) BOOST_TEST(!alive(process));
}

BOOST_AUTO_TEST_CASE(one_that_always_fails_is_given_up) {
  KeepingHost host;
  const auto pids = host.scratch.path() / "pids";
  const auto judge =
      make<Judge>("faulty-judge", {{"fault", "crash"}, {"pids", pids.string()}, {"isolation", "process"}}, host);
  int failed = 0;
  const std::string said = error_of(ErrorCode::plugin, [&] {
    for (; failed < 2000; ++failed) BOOST_TEST(!judge->judge(request("r")).failure.empty());
  });
  BOOST_TEST(failed == 9);
  BOOST_TEST(has(said, "judge `faulty-judge` of test.faulty 1.0.0 is given up: 10 calls in a row failed"), said);
  BOOST_TEST(has(said, "SIGSEGV"), said);
  BOOST_TEST(error_of(ErrorCode::plugin, [&] { static_cast<void>(judge->judge(request("r"))); }) == said);
  BOOST_TEST(numbers(pids).size() == 10U);
  BOOST_TEST(host.warnings.size() == 5U);

  // Two good calls after each bad one: never given up.
  const auto now_and_then =
      make<Judge>("faulty-judge", {{"fault", "quick-exit"}, {"call", 3}, {"isolation", "process"}}, host);
  for (int i = 1; i <= 60; ++i) BOOST_TEST(now_and_then->judge(request("r")).failure.empty() == (i % 3 != 0));
}

BOOST_AUTO_TEST_CASE(what_a_constructor_says_no_to_is_said_as_without_isolation) {
  KeepingHost host;
  const auto refusal = [&](Entries params) {
    return error_of(ErrorCode::recipe, [&] { static_cast<void>(make<Judge>("faulty-judge", params, host)); });
  };
  BOOST_TEST(refusal({{"fault", "nothing"}, {"isolation", "process"}}) == refusal({{"fault", "nothing"}}));
  BOOST_TEST(refusal({{"call", -1}, {"isolation", "process"}}) == refusal({{"call", -1}, {"isolation", "none"}}));
}

BOOST_AUTO_TEST_CASE(a_crash_in_the_destructor_is_a_warning) {
  KeepingHost host;
  make<Judge>("faulty-judge", {{"fault", "closing-crash"}, {"isolation", "process"}}, host).reset();
  BOOST_REQUIRE(host.warnings.size() == 1U);
  BOOST_TEST(has(host.warnings[0], "was killed by SIGSEGV (Segmentation fault) in its destructor"), host.warnings[0]);
}

BOOST_AUTO_TEST_CASE(a_component_hears_that_the_run_is_to_stop) {
  KeepingHost host;
  const auto judge = make<Judge>("faulty-judge", {{"isolation", "process"}}, host);
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    host.cancel = true;
  });
  BOOST_TEST(judge->judge(request("wait")).failure == "stopped");
  later.join();
}

BOOST_AUTO_TEST_CASE(a_call_that_does_not_stop_with_the_run_is_left) {
  KeepingHost host;
  const auto policy = make<SelectionPolicy>("chance", {{"fault", "hang"}, {"isolation", "process"}}, host);
  host.cancel = true;
  BOOST_CHECK_THROW(static_cast<void>(policy->select(group_of("p"), Random(1))), Cancelled);
  BOOST_TEST(host.warnings.empty());
}

BOOST_AUTO_TEST_CASE(what_a_killed_process_started_ends_with_it) {
  KeepingHost host;
  const auto judge =
      make<Judge>("faulty-judge", {{"fault", "fork"}, {"isolation", "process"}, {"call_timeout", 30}}, host);
  const auto began = Clock::now();
  BOOST_TEST(has(judge->judge(request("r")).failure, "SIGABRT"));
  BOOST_TEST((Clock::now() - began < std::chrono::seconds(20)));
}

BOOST_AUTO_TEST_CASE(the_thread_that_asked_first_may_end) {
  KeepingHost host;
  const auto pids = host.scratch.path() / "pids";
  std::shared_ptr<Judge> judge;
  std::thread([&] {
    judge = make<Judge>("faulty-judge", {{"pids", pids.string()}, {"isolation", "process"}}, host);
  }).join();
  std::thread([&] { BOOST_TEST(judge->judge(request("r")).failure.empty()); }).join();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  BOOST_TEST(judge->judge(request("r")).failure.empty());
  BOOST_TEST(numbers(pids).size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_plugin_that_was_replaced_meanwhile_does_not_go_on) {
  KeepingHost host;
  const Folder folder;
  const auto file = copy_plugin("test-faulty", folder.path());
  const Registry registry = Registry::scan({{file}, {}});
  const auto params = Value::map({{"fault", "crash"}, {"when", "bad"}, {"isolation", "process"}});
  const auto judge = plumb::make<Judge>(registry, "faulty-judge", params, host).bare();
  BOOST_TEST(judge->judge(request("good")).failure.empty());
  std::filesystem::remove(file);
  std::filesystem::copy_file(kPlugins / "test-faulty.plumb.so", file);
  BOOST_TEST(judge->judge(request("good")).failure.empty());
  BOOST_TEST(!judge->judge(request("bad")).failure.empty());
  const std::string said = error_of(ErrorCode::plugin, [&] { static_cast<void>(judge->judge(request("good"))); });
  BOOST_TEST(has(said, "has changed since the stage began"), said);
}

BOOST_AUTO_TEST_CASE(no_process_outlives_one_that_is_killed) {
  const Folder folder;
  const auto pids = folder.path() / "pids";
  const pid_t parent = ::fork();
  if (parent == 0) {  // has one thread; makes a component of its own and hangs in it
    try {
      KeepingHost host;
      const auto judge =
          make<Judge>("faulty-judge", {{"fault", "hang"}, {"pids", pids.string()}, {"isolation", "process"}}, host);
      static_cast<void>(judge->judge(request("r")));
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
    }
    ::_exit(0);
  }
  const auto until = Clock::now() + std::chrono::seconds(20);
  while (numbers(pids).empty() && Clock::now() < until) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));  // it hangs by now
  const auto processes = numbers(pids);
  BOOST_REQUIRE(processes.size() == 1U);
  BOOST_TEST(processes[0] != parent);
  BOOST_TEST(alive(processes[0]));
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  BOOST_TEST(gone_soon(processes[0]));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace plumb::test
