// openai-judge against a server that misbehaves in every way it can.
#include <plumb/judge.h>
#include <plumb/testing.h>
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <fstream>
#include <map>
#include <thread>

#include "openai_judging.h"
#include "running_server.h"

namespace fs = std::filesystem;
using plumb::Value;
using plumb::test::answered;
using plumb::test::canary;
using plumb::test::Door;
using plumb::test::Judging;
using plumb::test::requests;
using plumb::test::server;
using plumb::test::test_folder;
using plumb::test::whole;

namespace {

std::string thrown_by(const std::function<void()>& call) {
  try {
    call();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(openai_judge)

BOOST_AUTO_TEST_CASE(answers_come_over_one_kept_connection_and_are_paid_once) {
  Judging judging;
  const unsigned before = server().board().connections[static_cast<std::size_t>(Door::good)];
  for (int item = 1; item <= 20; ++item) {
    const auto judgement = judging.ask(item, "ok");
    BOOST_TEST(judgement.text == Judging::answer(item));
    BOOST_TEST(judgement.failure == "");
    BOOST_TEST(judgement.prompt_tokens == 10);
    BOOST_TEST(judgement.completion_tokens == 2);
  }
  BOOST_TEST(server().board().connections[static_cast<std::size_t>(Door::good)] == before + 1);
  BOOST_TEST(judging.ask(7, "ok").text == Judging::answer(7));
  BOOST_TEST(requests(7) == 1U);
  BOOST_TEST(server().board().wrong_key == 0U);
  judging.judge.reset();
  std::string kept_in;
  for (const auto& entry : fs::directory_iterator(judging.cache)) {
    if (entry.path().extension() == ".jsonl") kept_in = entry.path().string();
  }
  BOOST_REQUIRE(judging.plugin.host.messages.size() == 1U);
  BOOST_TEST(judging.plugin.host.messages[0] ==
             "openai-judge: 20 judgments by 20 requests (200 + 40 tokens), 1 known from before; kept in " + kept_in);
}

BOOST_AUTO_TEST_CASE(what_passes_is_asked_again_until_it_has_passed) {
  Judging judging({.timeout = 0.7});
  int item = 100;
  for (const char* plan : {"429,ok", "500,ok", "502,503,504,ok", "reset,ok", "stall,ok", "truncated,ok", "html,ok",
                           "empty,ok", "408,reset,truncated,500,ok"}) {
    ++item;
    BOOST_TEST(judging.ask(item, plan).text == Judging::answer(item), plan);
    BOOST_TEST(answered(item) == 1U, plan);
    BOOST_TEST(requests(item) == static_cast<unsigned>(std::count(plan, plan + std::string(plan).size(), ',')) + 1,
               plan);
  }
}

BOOST_AUTO_TEST_CASE(a_server_that_asks_for_a_second_gets_it) {
  Judging judging;
  const auto start = std::chrono::steady_clock::now();
  BOOST_TEST(judging.ask(150, "wait,ok").text == Judging::answer(150));
  BOOST_TEST((std::chrono::steady_clock::now() - start >= std::chrono::seconds(1)));
}

BOOST_AUTO_TEST_CASE(a_server_that_asks_for_no_wait_is_not_asked_without_one) {
  Judging judging({.attempts = 4, .first_wait = 0.2});
  const auto start = std::chrono::steady_clock::now();
  BOOST_TEST(judging.ask(151, "now,now,now,ok").text == Judging::answer(151));
  BOOST_TEST((std::chrono::steady_clock::now() - start >= std::chrono::milliseconds(1000)));  // ¾ of 0.2 + 0.4 + 0.8 s
}

BOOST_AUTO_TEST_CASE(interim_answers_are_passed_over) {
  Judging judging;
  for (int item = 152; item < 156; ++item) BOOST_TEST(judging.ask(item, "interim").text == Judging::answer(item));
  BOOST_TEST(requests(152) == 1U);
}

BOOST_AUTO_TEST_CASE(an_answer_that_nobody_asked_for_is_nobodys) {
  Judging judging;
  std::vector<plumb::JudgeRequest> asked;
  for (int item = 3500; item < 3550; ++item) asked.push_back(Judging::request(item, "twice"));
  const auto judgements = plumb::judge_all(*judging.judge, asked, judging.plugin.host);
  for (std::size_t i = 0; i < asked.size(); ++i)
    BOOST_TEST(judgements[i].text == Judging::answer(static_cast<int>(i) + 3500));
}

BOOST_AUTO_TEST_CASE(numbers_of_tokens_that_cannot_be_are_none) {
  Judging judging;
  const auto judgement = judging.ask(156, "usage");
  BOOST_TEST(judgement.text == Judging::answer(156));
  BOOST_TEST(judgement.prompt_tokens == 0);
  BOOST_TEST(judgement.completion_tokens == 0);
}

BOOST_AUTO_TEST_CASE(what_could_not_be_read_is_asked_again_by_the_next_run_and_once_in_each) {
  const auto read = [](plumb::Judgement& judgement) {
    if (judgement.text.find("[[") == std::string::npos) judgement.failure = "no rating: " + judgement.text;
  };
  const std::vector<plumb::JudgeRequest> asked{Judging::request(157, "vague,vague,ok"), Judging::request(158, "ok")};
  const auto run = [&] {
    Judging judging({.cache = "vague"});
    return plumb::judge_all(*judging.judge, asked, judging.plugin.host, "ratings", read);
  };
  for (const unsigned already : {1U, 2U}) {
    const auto judgements = run();
    BOOST_TEST(judgements[0].failure.starts_with("no rating: I like item 157"));
    BOOST_TEST(judgements[1].failure == "");
    BOOST_TEST(requests(157) == already);
  }
  BOOST_TEST(run()[0].text == Judging::answer(157));
  BOOST_TEST(run()[0].text == Judging::answer(157));  // and that is kept
  BOOST_TEST(requests(157) == 3U);
  BOOST_TEST(requests(158) == 1U);
}

BOOST_AUTO_TEST_CASE(what_does_not_pass_becomes_a_failure_that_says_why) {
  Judging judging({.attempts = 3});
  const auto spent = judging.ask(160, "500");
  BOOST_TEST(spent.failure == "no answer after 3 attempts; the last: status 500: as planned");
  BOOST_TEST(requests(160) == 3U);
  BOOST_TEST(judging.ask(161, "400").failure == "status 400: as planned");
  BOOST_TEST(requests(161) == 1U);
  BOOST_TEST(judging.ask(162, "html").failure.find("<html>busy</html>") != std::string::npos);
  const auto vague =
      judging.ask(163, "vague");  // the text is an answer; that it holds no rating is for the evaluator to see
  BOOST_TEST(vague.text == "I like item 163 very much.");
  BOOST_TEST(judging.ask(164, "filtered").failure.find("content_filter") != std::string::npos);
  BOOST_TEST(judging.ask(164, "filtered").failure.find("content_filter") != std::string::npos);
  BOOST_TEST(requests(164) == 2U);  // no text is no judgement to keep
  BOOST_TEST(judging.ask(165, "filtered,ok").failure.find("content_filter") != std::string::npos);
  BOOST_TEST(judging.ask(165, "filtered,ok").text == Judging::answer(165));
  BOOST_TEST(judging.ask(160, "500").failure != "");
  BOOST_TEST(requests(160) == 6U);  // a failure of the server is not kept
}

BOOST_AUTO_TEST_CASE(what_no_request_survives_ends_the_evaluation) {
  Judging judging;
  const unsigned plain = server().board().requests_at[static_cast<std::size_t>(Door::plain)];
  for (const char* plan : {"401", "403", "404", "redirect", "echo401"}) {
    const std::string said = thrown_by([&] { judging.ask(170, plan); });
    BOOST_TEST(said.find("the server refuses every request: status") != std::string::npos, plan << ": " << said);
    BOOST_TEST(said.find("CANARY") == std::string::npos);
    BOOST_TEST(said.find("sk-") == std::string::npos);
  }
  BOOST_TEST(requests(170) == 5U);
  BOOST_TEST(server().board().requests_at[static_cast<std::size_t>(Door::plain)] == plain);  // not followed
}

BOOST_AUTO_TEST_CASE(certificates_that_do_not_verify_get_no_request) {
  const std::map<Door, std::string> said{{Door::expired, "certificate has expired"},
                                         {Door::wrong_host, "hostname mismatch"},
                                         {Door::unknown, "unable to get local issuer certificate"}};
  for (const auto& [door, why] : said) {
    Judging judging({.door = door});
    const std::string message = thrown_by([&] { judging.ask(180, "ok"); });
    BOOST_TEST(message.find("is refused") != std::string::npos, message);
    BOOST_TEST(message.find(why) != std::string::npos, message);
    BOOST_TEST(server().board().requests_at[static_cast<std::size_t>(door)] == 0U);
    BOOST_TEST(server().board().connections[static_cast<std::size_t>(door)] == 1U);  // asking again would not help
  }
  BOOST_TEST(requests(180) == 0U);
}

BOOST_AUTO_TEST_CASE(this_machine_may_be_asked_without_tls) {
  Judging judging({.door = Door::plain});
  BOOST_TEST(judging.ask(190, "reset,ok").text == Judging::answer(190));
}

BOOST_AUTO_TEST_CASE(no_more_requests_are_under_way_than_allowed) {
  Judging judging({.concurrency = 3});
  server().board().most_at_once = 0;
  std::vector<plumb::JudgeRequest> asked;
  for (int item = 200; item < 300; ++item) asked.push_back(Judging::request(item, "meet"));
  std::vector<std::jthread> more;  // beside judge_all's own threads
  for (std::size_t thread = 0; thread < 6; ++thread) {
    more.emplace_back([&, first = 16 * thread] {  // each at another item: who wants the same waits for one request
      for (std::size_t i = 0; i < asked.size(); ++i)
        static_cast<void>(judging.judge->judge(asked[(first + i) % asked.size()]));
    });
  }
  const auto judgements = plumb::judge_all(*judging.judge, asked, judging.plugin.host);
  more.clear();
  BOOST_TEST(server().board().most_at_once <= 3U);
  BOOST_TEST(server().board().most_at_once >= 2U);
  for (int item = 200; item < 300; ++item) {
    BOOST_TEST(judgements[static_cast<std::size_t>(item - 200)].text == Judging::answer(item));
    BOOST_TEST(answered(item) == 1U);  // seven threads wanted it
  }
}

namespace {

// A host that is asked to stop after a while.
class StoppingHost final : public plumb::Host {
 public:
  void log(plumb::LogLevel, std::string_view) override {}
  void progress(std::string_view, std::size_t, std::size_t) override {}
  [[nodiscard]] bool cancelled() const override {
    return std::chrono::steady_clock::now() - start_ > std::chrono::milliseconds(300);
  }
  void parallel_for(std::size_t, const std::function<void(std::size_t)>&) override {}
  [[nodiscard]] std::string scratch_folder() override { return {}; }
  [[nodiscard]] std::string recipe_folder() const override { return {}; }
  [[nodiscard]] void* query(std::string_view) override { return nullptr; }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_request_to_stop_ends_every_wait) {
  for (const char* plan : {"stall", "wait,wait,wait,wait,ok"}) {
    Judging made;  // for its parameters' entry
    StoppingHost host;
    const auto start = std::chrono::steady_clock::now();
    const auto& entry = *made.plugin.registrar.entries().front();
    const std::unique_ptr<plumb::Component> component =
        entry.make(Value::map({{"url", server().url(Door::good)},
                               {"model", "tester"},
                               {"key_from", "PLUMB_TEST_JUDGE_KEY"},
                               {"ca_file", (test_folder() / "server" / "ca.pem").string()},
                               {"cache", (test_folder() / "stopped").string()}}),
                   host, nullptr);
    auto& judge = dynamic_cast<plumb::Judge&>(*component);
    const std::vector<plumb::JudgeRequest> asked{Judging::request(300, plan), Judging::request(301, plan)};
    BOOST_CHECK_EXCEPTION(plumb::judge_all(judge, asked, host), plumb::Error,
                          [](const plumb::Error& error) { return error.code() == plumb::ErrorCode::preempted; });
    BOOST_TEST((std::chrono::steady_clock::now() - start < std::chrono::seconds(5)), plan);
  }
}

BOOST_AUTO_TEST_CASE(the_key_is_in_no_byte_that_is_kept_or_said) {
  Judging judging;
  const auto echoed = judging.ask(400, "echo");
  BOOST_TEST(echoed.text == Judging::answer(400) + " Bearer ***");
  BOOST_TEST(thrown_by([&] { judging.ask(401, "echo401"); }).find(canary.substr(0, 9)) == std::string::npos);
  judging.judge.reset();
  for (const std::string& message : judging.plugin.host.messages)
    BOOST_TEST(message.find("CANARY") == std::string::npos);
  std::size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(test_folder())) {
    if (!entry.is_regular_file()) continue;
    ++files;
    BOOST_TEST(whole(entry.path()).find("CANARY") == std::string::npos, entry.path());
  }
  BOOST_TEST(files > 10U);
}

BOOST_AUTO_TEST_SUITE_END()
