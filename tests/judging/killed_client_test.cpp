// What openai-judge keeps of its judgments when its process is killed.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <plumb/judge.h>
#include <plumb/testing.h>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "openai_judging.h"
#include "running_server.h"

namespace fs = std::filesystem;
using plumb::test::answered;
using plumb::test::Judging;
using plumb::test::requests;
using plumb::test::server;
using plumb::test::test_folder;
using plumb::test::whole;

BOOST_AUTO_TEST_SUITE(openai_judge)

namespace {

constexpr int first = 1000, count = 2000;

// Judges everything and writes the texts down, in a process of its own.
pid_t start_client(const fs::path& results) {
  server();
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  int status = 1;
  try {
    Judging judging({.timeout = 3, .cache = "killed"});
    std::vector<plumb::JudgeRequest> asked;
    for (int item = first; item < first + count; ++item) asked.push_back(Judging::request(item, "faults"));
    const auto judgements = plumb::judge_all(*judging.judge, asked, judging.plugin.host);
    std::ofstream out(results);
    for (const auto& judgement : judgements) out << judgement.text << judgement.failure << '\n';
    judging.judge.reset();
    for (const std::string& message : judging.plugin.host.messages) out << message << '\n';
    status = out.flush() ? 0 : 1;
  } catch (const std::exception& error) {
    std::ofstream(results) << error.what();
  }
  ::_exit(status);
}

// By the text of the answer: what the cache file holds in whole lines.
std::set<std::string> kept_texts(const fs::path& folder) {
  std::set<std::string> texts;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".jsonl") continue;
    std::istringstream lines(whole(entry.path()));
    for (std::string line; std::getline(lines, line) && !lines.eof();) {
      BOOST_TEST(texts.insert(plumb::parse_json(line).at("text").as_string()).second, "twice in the cache: " << line);
    }
  }
  return texts;
}

}  // namespace

BOOST_AUTO_TEST_CASE(two_thousand_judgments_survive_faults_and_two_kills_without_loss_or_double) {
  const fs::path results = test_folder() / "results.txt";
  auto& board = server().board();
  std::vector<std::pair<int, unsigned>> settled;  // items in the cache at a kill, and how often they had been asked
  for (const unsigned kill_at : {600U, 1300U}) {
    const unsigned before = board.total_answered;
    const pid_t client = start_client(results);
    const unsigned wanted = kill_at > 600 ? 700 : 600;
    while (board.total_answered - before < wanted && ::waitpid(client, nullptr, WNOHANG) == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ::kill(client, SIGKILL);
    ::waitpid(client, nullptr, 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));  // the server notices
    BOOST_TEST(!fs::exists(results));
    const auto kept = kept_texts(test_folder() / "killed");
    BOOST_TEST(kept.size() > 300U);
    BOOST_TEST(kept.size() < static_cast<std::size_t>(count));
    for (int item = first; item < first + count; ++item) {
      if (kept.contains(Judging::answer(item))) settled.emplace_back(item, requests(item));
    }
  }
  int status = -1;
  ::waitpid(start_client(results), &status, 0);
  BOOST_TEST(status == 0);

  std::istringstream lines(whole(results));
  unsigned doubled = 0, asked_again = 0;
  for (int item = first; item < first + count; ++item) {
    std::string line;
    std::getline(lines, line);
    BOOST_TEST(line == Judging::answer(item));
    BOOST_TEST(answered(item) >= 1U);
    doubled += answered(item) - 1;
  }
  for (const auto& [item, before] : settled) asked_again += requests(item) - before;
  BOOST_TEST(asked_again == 0U);   // nothing on the disk is asked for again
  BOOST_TEST(doubled <= 2U * 8U);  // only what was under way at a kill is paid for again
  BOOST_TEST(kept_texts(test_folder() / "killed").size() == static_cast<std::size_t>(count));
  BOOST_TEST(board.wrong_key == 0U);
  std::string summary;
  std::getline(lines, summary);
  BOOST_TEST_MESSAGE(summary << "; " << doubled << " answers paid twice by the kills");
}

BOOST_AUTO_TEST_SUITE_END()
