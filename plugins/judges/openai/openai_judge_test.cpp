// The parts that need no server. tests/judging drives the whole judge against one.
#include <sys/wait.h>
#include <unistd.h>

#include <plumb/judge.h>
#include <plumb/testing.h>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "chat.h"
#include "judgment_cache.h"

namespace fs = std::filesystem;
using plumb::Value;

namespace {

fs::path fresh_folder(const std::string& name) {
  const fs::path folder = fs::temp_directory_path() / ("plumb_openai_" + name + std::to_string(::getpid()));
  fs::remove_all(folder);
  return folder;
}

bool never() {
  return false;
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(openai_judge)

BOOST_AUTO_TEST_CASE(a_body_holds_the_request_and_what_the_recipe_adds) {
  const auto extra = Value::map({{"top_p", 0.5}, {"max_tokens", Value()}});
  BOOST_TEST(openai::chat_body("m", {{"user", "a\"b"}}, 0.0, 9, extra) ==
             R"({"messages":[{"content":"a\"b","role":"user"}],"model":"m","temperature":0.0,"top_p":0.5})");
}

BOOST_AUTO_TEST_CASE(answers_are_read_and_others_are_not_mistaken_for_them) {
  const auto answer = openai::read_chat_answer(
      R"({"choices":[{"message":{"content":"[[7]]"}}],"usage":{"prompt_tokens":5,"completion_tokens":2}})");
  BOOST_TEST(answer.text == "[[7]]");
  BOOST_TEST(answer.prompt_tokens == 5);
  BOOST_TEST(answer.completion_tokens == 2);
  BOOST_TEST(
      openai::read_chat_answer(R"({"choices":[{"message":{"content":[{"type":"text","text":"a"},{"text":"b"}]}}]})")
          .text == "ab");
  const auto filtered =
      openai::read_chat_answer(R"({"choices":[{"message":{"content":null},"finish_reason":"content_filter"}]})");
  BOOST_TEST(filtered.failure.find("content_filter") != std::string::npos);
  for (const char* odd : {"-1", "9223372036854775807", "1.5", "\"7\""}) {
    const auto counted = openai::read_chat_answer(
        R"({"choices":[{"message":{"content":"a"}}],"usage":{"prompt_tokens":)" + std::string(odd) + "}}");
    BOOST_TEST(counted.prompt_tokens == 0, odd);
  }
  for (const char* bad : {"<html>", "{}", R"({"choices":[]})", R"({"choices":[{}]})", R"({"choices":[3]})"}) {
    BOOST_CHECK_THROW(openai::read_chat_answer(bad), plumb::Error);
  }
  // sha256sum of "u\nb".
  BOOST_TEST(openai::request_hash("u", "b") == "638c499c92db0f799f4778b5f46687e9615be77c27e572382e79893b54843494");
}

BOOST_AUTO_TEST_CASE(the_cache_gives_back_what_it_kept_also_to_others) {
  const fs::path file = fresh_folder("cache") / "a.jsonl";
  openai::JudgmentCache one(file), other(file);
  const std::string hash(64, 'a'), second(64, 'b');
  BOOST_TEST(!one.find(hash).has_value());
  one.keep(hash, {"line one\nline two", "", 3, 4});
  BOOST_TEST(other.find(hash).value().text == "line one\nline two");
  BOOST_TEST(other.find(hash).value().completion_tokens == 4);
  other.keep(second, {"old", "", 0, 0});
  other.keep(second, {"new", "", 0, 0});
  BOOST_TEST(one.find(second).value().text == "new");
  BOOST_TEST(openai::JudgmentCache(file).find(second).value().text == "new");
}

BOOST_AUTO_TEST_CASE(a_failure_in_a_file_is_not_known) {
  const fs::path file = fresh_folder("failed") / "a.jsonl";
  const std::string hash(64, 'c');
  fs::create_directories(file.parent_path());
  std::ofstream(file) << R"({"request":")" << hash
                      << R"(","text":"","failure":"the judge gave no text","prompt_tokens":1,"completion_tokens":0})"
                      << '\n';
  openai::JudgmentCache cache(file);
  BOOST_TEST(!cache.find(hash).has_value());
  BOOST_TEST(cache.unreadable() == 0U);
}

BOOST_AUTO_TEST_CASE(half_a_line_is_cut_off_and_a_broken_one_passed_over) {
  const fs::path file = fresh_folder("torn") / "a.jsonl";
  const std::string hash(64, 'a'), second(64, 'b');
  { openai::JudgmentCache(file).keep(hash, {"kept", "", 0, 0}); }
  std::ofstream(file, std::ios::app) << "{\"request\":\"half\n{\"request\":\"" << second << "\",\"te";
  openai::JudgmentCache cache(file);
  BOOST_TEST(cache.unreadable() == 1U);
  BOOST_TEST(cache.find(hash).value().text == "kept");
  BOOST_TEST(!cache.find(second).has_value());
  cache.keep(second, {"new", "", 0, 0});
  openai::JudgmentCache again(file);
  BOOST_TEST(again.find(second).value().text == "new");
  BOOST_TEST(again.unreadable() == 1U);
}

BOOST_AUTO_TEST_CASE(a_claim_is_held_against_other_processes_and_goes_with_its_holder) {
  const fs::path file = fresh_folder("claim") / "a.jsonl";
  openai::JudgmentCache cache(file);
  const std::string hash(64, 'a'), second(64, 'b');
  auto held = cache.claim(hash, never);
  const pid_t child = ::fork();
  if (child == 0) {
    int asked = 0;
    const bool refused = !cache.claim(hash, [&] { return ++asked > 3; }).has_value();
    const bool free = cache.claim(second, never).has_value();
    ::_exit(refused && free ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  BOOST_TEST(status == 0);
  held.reset();
  BOOST_TEST(cache.claim(hash, [] { return true; }).has_value());
}

BOOST_AUTO_TEST_CASE(a_recipe_that_cannot_work_is_refused_before_anything_is_sent) {
  plumb::testing::PluginUnderTest plugin;
  const std::string folder = fresh_folder("refused").string();
  const auto made = [&](const char* url, const char* key_from) {
    return message_of([&] {
      plugin.make<plumb::Judge>("openai-judge",
                                Value::map({{"url", url}, {"model", "m"}, {"key_from", key_from}, {"cache", folder}}));
    });
  };
  ::setenv("PLUMB_UNIT_KEY", "sk-secret1", 1);
  BOOST_TEST(made("http://judge.example.org/v1", "PLUMB_UNIT_KEY").find("in the clear") != std::string::npos);
  BOOST_TEST(made("https://judge.example.org/v1", "sk-secret1").find("not the key itself") != std::string::npos);
  BOOST_TEST(made("https://judge.example.org/v1", "PLUMB_UNSET").find("is not set") != std::string::npos);
  BOOST_TEST(made("http://127.0.0.1:1/v1", "PLUMB_UNIT_KEY") == "nothing was thrown");
}

BOOST_AUTO_TEST_SUITE_END()
