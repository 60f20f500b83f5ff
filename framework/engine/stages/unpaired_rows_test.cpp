#include <boost/test/unit_test.hpp>
#include <fstream>

#include "framework/core/kinds/test_stage.h"
#include "framework/engine/stages/test_texts.h"
#include "framework/engine/stages/unpaired_rows.h"

namespace {
using plumb::TokenId;
using plumb::test::model_with;
using plumb::test::TestStage;

void write(const std::filesystem::path& file, const std::string& text) {
  std::ofstream(file) << text;
}

std::string prompt(const std::string& id) {
  return R"("prompt_id":")" + id + R"(","prompt":[{"role":"user","content":")" + id + R"("}])";
}

std::string scored(const std::string& id, std::initializer_list<std::pair<const char*, double>> answers) {
  std::string row = "{" + prompt(id) + R"(,"responses":[)";
  bool first = true;
  for (const auto& [text, reward] : answers) {
    row += std::string(first ? "" : ",") + R"({"text":")" + text + R"(","ids":[)";
    for (const char* c = text; *c != 0; ++c) row += std::to_string(static_cast<int>(*c)) + ",";
    row += R"(2],"finish":"stop","reward":)" + std::to_string(reward) + "}";
    first = false;
  }
  return row + "]}\n";
}

std::string label(const plumb::UnpairedRows& rows, std::size_t i) {
  const auto& pair = rows.rows.pairs[i];
  std::string text;
  for (const TokenId id : rows.rows.groups[pair.group].completions[pair.chosen]) text += static_cast<char>(id);
  return rows.rows.names[pair.group] + " " + text.substr(0, text.size() - 1) + (rows.desirable[i] != 0 ? "+" : "-");
}
}  // namespace

BOOST_AUTO_TEST_SUITE(unpaired_rows)

BOOST_AUTO_TEST_CASE(scored_answers_are_desirable_above_the_mean_or_a_given_reward) {
  TestStage stage(plumb::Value::map());
  const auto folder = stage.add_input("data", "scored", plumb::artifact_type::scored);
  write(folder / "responses.jsonl", scored("p", {{"a", 3}, {"b", 1}, {"a", 3}}) + scored("q", {{"c", 0}, {"d", -1}}));
  const auto model = model_with(1000);
  const auto labels = [&](std::optional<double> above) {
    const auto read = plumb::unpaired_rows(stage.input("data"), model, above, {}, plumb::Random(1), stage);
    BOOST_TEST(read.counts.read == 5);
    BOOST_TEST(read.counts.kept == 4);
    BOOST_TEST(read.counts.count(plumb::row_reason::repeated) == 1);
    std::string all;
    for (std::size_t i = 0; i < read.rows.desirable.size(); ++i) all += label(read.rows, i) + " ";
    return all;
  };
  BOOST_TEST(labels(std::nullopt) == "p a+ p b- q c- q d- ");  // the mean of the five is 1.2
  BOOST_TEST(labels(-0.5) == "p a+ p b+ q c+ q d- ");
}

BOOST_AUTO_TEST_CASE(of_pairs_each_answer_comes_once_with_each_label) {
  TestStage stage(plumb::Value::map());
  const auto folder = stage.add_input("data", "prefs", plumb::artifact_type::preferences);
  const auto row = [](const char* id, const char* p, const char* chosen, const char* rejected) {
    return std::string(R"({"id":")") + id + R"(",)" + prompt(p) + R"(,"chosen":[{"role":"assistant","content":")" +
           chosen + R"("}],"rejected":[{"role":"assistant","content":")" + rejected + "\"}]}\n";
  };
  write(folder / "preferences.jsonl",
        row("1", "p", "a", "b") + row("2", "p", "a", "c") + row("3", "p", "b", "c") + row("4", "q", "d", "e"));
  const auto model = model_with(1000);
  const auto read = plumb::unpaired_rows(stage.input("data"), model, std::nullopt, {}, plumb::Random(1), stage);
  std::string all;
  for (std::size_t i = 0; i < read.rows.desirable.size(); ++i) all += label(read.rows, i) + " ";
  BOOST_TEST(all == "p a+ p b- p c- p b+ q d+ q e- ");
}

BOOST_AUTO_TEST_CASE(the_mismatched_answer_is_one_of_another_prompt_and_fits) {
  TestStage stage(plumb::Value::map());
  const auto folder = stage.add_input("data", "scored", plumb::artifact_type::scored);
  write(folder / "responses.jsonl", scored("p", {{"a", 3}, {"b", 1}}) +
                                        scored("q", {{"cc", 0}, {"dddddddddddddddd", -1}}) + scored("r", {{"e", 2}}));
  const auto wide = model_with(1000);
  const auto read = plumb::unpaired_rows(stage.input("data"), wide, 0.0, {}, plumb::Random(1), stage);
  const auto& rows = read.rows.rows;
  for (const auto& pair : rows.pairs) {
    const auto& other = rows.groups[pair.group].completions[pair.rejected];
    bool elsewhere = false, own = false;
    for (const auto& from : rows.pairs) {
      if (rows.groups[from.group].completions[from.chosen] != other) continue;
      (from.group == pair.group ? own : elsewhere) = true;
    }
    BOOST_TEST(elsewhere);
    BOOST_TEST(!own);
  }
  const auto again = plumb::unpaired_rows(stage.input("data"), wide, 0.0, {}, plumb::Random(1), stage);
  for (std::size_t i = 0; i < rows.pairs.size(); ++i) {  // a function of the seed
    BOOST_TEST(
        (again.rows.rows.groups[rows.pairs[i].group].completions == rows.groups[rows.pairs[i].group].completions));
  }
}

BOOST_AUTO_TEST_CASE(one_prompt_alone_is_refused) {
  TestStage stage(plumb::Value::map());
  const auto folder = stage.add_input("data", "scored", plumb::artifact_type::scored);
  write(folder / "responses.jsonl", scored("p", {{"a", 3}, {"b", 1}}));
  const auto model = model_with(1000);
  BOOST_CHECK_EXCEPTION(
      static_cast<void>(plumb::unpaired_rows(stage.input("data"), model, {}, {}, plumb::Random(1), stage)),
      plumb::Error,
      [](const plumb::Error& e) { return std::string(e.what()).find("two prompts") != std::string::npos; });
}

BOOST_AUTO_TEST_SUITE_END()
