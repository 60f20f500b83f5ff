// An openai-judge at the server of this test, with a cache folder of its own.
//
//   Judging judging({.concurrency = 3});
//   Judgement said = judging.ask(7, "stall,ok");   // what the server does with the requests for item 7
//
// Thread contract: made in one thread; ask() may be called from any.
#pragma once

#include <plumb/judge.h>
#include <plumb/testing.h>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "running_server.h"

namespace plumb::test {

struct Setup {
  Door door = Door::good;
  std::int64_t concurrency = 8, attempts = 6;
  double timeout = 20, first_wait = 0.02;
  std::string cache = {};  // empty: one of its own
};

class Judging {
 public:
  explicit Judging(const Setup& setup = {}) {
    static int count = 0;
    cache = test_folder() / (setup.cache.empty() ? "cache" + std::to_string(++count) : setup.cache);
    ::setenv("PLUMB_TEST_JUDGE_KEY", canary.c_str(), 1);
    judge = plugin.make<Judge>("openai-judge", Value::map({{"url", server().url(setup.door)},
                                                           {"model", "tester"},
                                                           {"key_from", "PLUMB_TEST_JUDGE_KEY"},
                                                           {"ca_file", (test_folder() / "server" / "ca.pem").string()},
                                                           {"cache", cache.string()},
                                                           {"concurrency", setup.concurrency},
                                                           {"attempts", setup.attempts},
                                                           {"timeout", setup.timeout},
                                                           {"first_wait", setup.first_wait}}));
  }
  Judgement ask(int item, const std::string& plan) { return judge->judge(request(item, plan)); }

  static JudgeRequest request(int item, const std::string& plan) {
    JudgeRequest asked;
    asked.id = std::to_string(item);
    asked.messages = {{"user", "item=" + std::to_string(item) + " plan=" + plan + " please"}};
    return asked;
  }
  static std::string answer(int item) {
    return "item " + std::to_string(item) + ": [[" + std::to_string(item % 10 + 1) + "]]";
  }

  testing::PluginUnderTest plugin;
  std::filesystem::path cache;
  std::unique_ptr<Judge> judge;
};

// How often the server was asked about an item, and how often it answered well.
inline unsigned requests(int item) {
  return server().board().requests[static_cast<std::size_t>(item)];
}
inline unsigned answered(int item) {
  return server().board().answered[static_cast<std::size_t>(item)];
}

}  // namespace plumb::test
