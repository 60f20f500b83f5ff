#include <plumb/judge.h>
#include <plumb/testing.h>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

using plumb::testing::PluginUnderTest;

namespace {
std::string written(const std::string& name, const std::string& text) {
  const std::string file = (std::filesystem::temp_directory_path() / name).string();
  std::ofstream(file) << text;
  return file;
}
}  // namespace

BOOST_AUTO_TEST_SUITE(replay_judge)

BOOST_AUTO_TEST_CASE(ratings_come_back_and_failures_stay_failures) {
  PluginUnderTest plugin;
  const std::string file =
      written("plumb_replay.jsonl",
              R"({"question_id":81,"model":"m","judge":["g","v"],"judgment":"[[9]]","score":9,"turn":1}
{"question_id":81,"model":"m","judge":["g","v"],"judgment":"none","score":-1,"turn":2}
)");
  auto judge = plugin.make<plumb::Judge>("replay-judge", plumb::Value::map({{"mt_bench", file}}));
  plumb::JudgeRequest request;
  request.id = "m/81/1";
  BOOST_TEST(judge->judge(request).score.value() == 9.0);
  BOOST_TEST(judge->judge(request).text == "[[9]]");
  request.id = "m/81/2";
  BOOST_TEST(!judge->judge(request).score.has_value());
  BOOST_TEST(!judge->judge(request).failure.empty());
  request.id = "m/82/1";
  BOOST_TEST(judge->judge(request).failure.find("m/82/1") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(comparisons_are_found_in_either_order) {
  PluginUnderTest plugin;
  const std::string file = written(
      "plumb_replay.json",
      R"([{"instruction":"q","output_1":"base","output_2":"model","preference":2},{"instruction":"r","output_1":"base","output_2":"model","preference":0}])");
  auto judge = plugin.make<plumb::Judge>("replay-judge", plumb::Value::map({{"alpaca_eval", file}}));
  plumb::JudgeRequest request;
  request.prompt.messages = {{"user", "q"}};
  request.answer = "model";
  request.other = "base";
  BOOST_TEST(judge->judge(request).preference.value() == 1.0);
  request.answer = "base";
  request.other = "model";
  BOOST_TEST(judge->judge(request).preference.value() == 0.0);
  request.prompt.messages = {{"user", "r"}};
  BOOST_TEST(judge->judge(request).preference.value() == 0.5);
  request.answer = "something else";
  BOOST_TEST(!judge->judge(request).preference.has_value());
}

BOOST_AUTO_TEST_CASE(no_file_is_a_recipe_error) {
  PluginUnderTest plugin;
  BOOST_CHECK_THROW(plugin.make<plumb::Judge>("replay-judge"), plumb::Error);
}

BOOST_AUTO_TEST_SUITE_END()
