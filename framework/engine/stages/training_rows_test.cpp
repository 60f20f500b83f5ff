#include "framework/engine/stages/training_rows.h"

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "framework/core/kinds/test_stage.h"
#include "framework/engine/stages/test_texts.h"

namespace {
using plumb::TokenId;
using plumb::test::model_with;
using plumb::test::TestStage;
using Ids = std::vector<TokenId>;

void write(const std::filesystem::path& file, const std::string& text) {
  std::ofstream(file) << text;
}

Ids ids_of(std::string_view text) {
  return plumb::testing::ByteTokenizer(0).encode(text);
}
Ids joined(Ids first, const Ids& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

std::string failure(const std::function<void()>& body) {
  try {
    body();
  } catch (const plumb::Error& error) {
    return error.what();
  }
  return "no error";
}
bool says(const std::string& message, const std::string& part) {
  return message.find(part) != std::string::npos;
}
}  // namespace

BOOST_AUTO_TEST_SUITE(training_rows)

BOOST_AUTO_TEST_CASE(demonstrations_learn_the_assistants_tokens_and_eos) {
  TestStage stage(plumb::Value::map());
  const auto folder = stage.add_input("data", "demos", plumb::artifact_type::demonstrations);
  write(folder / "demonstrations.jsonl",
        R"({"id":"a","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"yo"}]})"
        "\n");
  const auto model = model_with(64);
  const auto read = plumb::demonstration_rows(stage.input("data"), model, {}, stage);
  BOOST_REQUIRE(read.rows.rows.size() == 1);
  const Ids wanted = joined(joined({1}, ids_of("hi\nyo")), {2});
  BOOST_TEST(read.rows.rows[0].ids == wanted, boost::test_tools::per_element());
  const std::vector<std::uint8_t> learn{0, 0, 0, 0, 1, 1, 1};
  BOOST_TEST(read.rows.rows[0].learn == learn, boost::test_tools::per_element());
  const auto all = plumb::demonstration_rows(stage.input("data"), model, {.learn_all = true}, stage);
  BOOST_TEST(all.rows.rows[0].learn == std::vector<std::uint8_t>(7, 1), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(rows_that_cannot_be_learnt_are_counted_by_reason) {
  TestStage stage(plumb::Value::map());
  const auto folder = stage.add_input("data", "demos", plumb::artifact_type::demonstrations);
  write(folder / "demonstrations.jsonl",
        R"({"id":"fits","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"yo"}]}
{"id":"long","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"0123456789"}]}
{"id":"silent","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":" "}]}
)");
  const auto read = plumb::demonstration_rows(stage.input("data"), model_with(12), {.max_length = 100}, stage);
  BOOST_TEST(read.counts.read == 3);
  BOOST_TEST(read.counts.kept == 1);
  read.counts.tell(stage, "data");
  BOOST_TEST(stage.accounted.count(plumb::row_reason::not_rendered) == 1);
  BOOST_TEST(stage.accounted.count("longer than the model's context of 12 tokens") == 1);
  BOOST_REQUIRE(stage.messages.size() == 1);
  BOOST_TEST(says(stage.messages[0], "left out 2 of 3 rows: "));
  BOOST_TEST(says(stage.messages[0], "1 longer than the model's context of 12 tokens (first long: 15 tokens)"));
  const std::string message = failure([&] {
    static_cast<void>(plumb::demonstration_rows(stage.input("data"), model_with(12), {.max_length = 3}, stage));
  });
  BOOST_TEST_CONTEXT(message) {
    BOOST_TEST(says(message, "none of 3 rows"));
    BOOST_TEST(says(message, "2 longer than max_length 3 (first fits: 7 tokens) (raise max_length)"));
  }
}

BOOST_AUTO_TEST_CASE(a_model_without_chat_format_is_refused) {
  TestStage stage(plumb::Value::map());
  stage.add_input("data", "demos", plumb::artifact_type::demonstrations);
  auto model = model_with(64);
  model.chat_format = nullptr;
  BOOST_TEST(says(failure([&] { static_cast<void>(plumb::demonstration_rows(stage.input("data"), model, {}, stage)); }),
                  "chat_format"));
}

BOOST_AUTO_TEST_CASE(long_texts_are_cut_so_that_every_token_is_learnt_once) {
  TestStage stage(plumb::Value::map());
  const auto folder = stage.add_input("data", "corpus", plumb::artifact_type::texts);
  write(folder / "demonstrations.jsonl", R"({"id":"t1","messages":[{"role":"assistant","content":"abcdefgh"}]}
{"id":"t2","messages":[{"role":"assistant","content":"xy"}]}
)");
  const auto read = plumb::language_rows(stage.input("data"), model_with(64), {.max_length = 4}, stage);
  Ids predicted;  // all but the first token of each row
  for (const auto& row : read.rows.rows) {
    BOOST_TEST(row.ids.size() <= 4U);
    BOOST_TEST(row.ids.size() >= 2U);
    predicted.insert(predicted.end(), row.ids.begin() + 1, row.ids.end());
  }
  BOOST_TEST(predicted == joined(joined(ids_of("abcdefgh"), {2}), joined(ids_of("xy"), {2})),
             boost::test_tools::per_element());
  BOOST_TEST(read.counts.kept == 2);
  BOOST_TEST(read.counts.account("data").line() ==
             "cut 1 of 2 rows: longer than a row, so learnt as several (first t1: 10 tokens)");
}

BOOST_AUTO_TEST_CASE(preferences_of_one_prompt_share_a_group_and_equal_answers_a_response) {
  TestStage stage(plumb::Value::map());
  const auto folder = stage.add_input("data", "prefs", plumb::artifact_type::preferences);
  const auto row = [](const char* id, const char* prompt, const char* chosen, const char* rejected) {
    return std::string(R"({"prompt_id":")") + id + R"(","prompt":[{"role":"user","content":")" + prompt +
           R"("}],"chosen":[{"role":"assistant","content":")" + chosen +
           R"("}],"rejected":[{"role":"assistant","content":")" + rejected + "\"}]}\n";
  };
  write(folder / "preferences.jsonl", row("1", "hi", "a", "b") + row("2", "hi", "a", "c") + row("3", "ho", "a", "b") +
                                          row("4", "ho", "same", "same") + row("5", "ho", "a", "0123456789"));
  const auto read = plumb::pair_rows(stage.input("data"), model_with(10), {}, stage);
  BOOST_REQUIRE(read.rows.groups.size() == 2);
  BOOST_TEST(read.rows.groups[0].completions.size() == 3);
  BOOST_TEST(read.rows.groups[1].completions.size() == 2);
  BOOST_REQUIRE(read.rows.pairs.size() == 3);
  BOOST_TEST(read.rows.pairs[1].group == 0U);
  BOOST_TEST(read.rows.pairs[1].chosen == read.rows.pairs[0].chosen);
  BOOST_TEST(read.rows.pairs[1].rejected == 2U);
  BOOST_TEST(read.rows.groups[0].prompt == joined({1}, ids_of("hi\n")), boost::test_tools::per_element());
  BOOST_TEST(read.rows.groups[0].completions[2] == joined(ids_of("c"), {2}), boost::test_tools::per_element());
  BOOST_TEST(read.counts.kept == 3);
  BOOST_TEST(read.counts.account("eval").line() ==
             "left out 2 of 5 rows of eval: 1 chosen and rejected are the same tokens (first 4), "
             "1 longer than the model's context of 10 tokens (first 5: 15 tokens)");
}

BOOST_AUTO_TEST_CASE(sampled_ids_are_trained_as_they_are_unless_the_prompt_differs) {
  TestStage stage(plumb::Value::map());
  const auto folder = stage.add_input("data", "pairs", plumb::artifact_type::pairs);
  const auto fill = [&](const char* prompt_ids) {
    write(
        folder / "responses.jsonl",
        std::string(R"({"prompt_id":"p","prompt":[{"role":"user","content":"hi"}],"prompt_ids":)") + prompt_ids +
            R"(,"responses":[{"text":"a","ids":[97,2],"finish":"stop","reward":1},{"text":"bb","ids":[98,98],"finish":"length","reward":0}]})"
            "\n");
  };
  write(
      folder / "pairs.jsonl",
      R"({"prompt_id":"p","prompt":[{"role":"user","content":"hi"}],"chosen":[{"role":"assistant","content":"a"}],"rejected":[{"role":"assistant","content":"bb"}],"chosen_reward":1,"rejected_reward":0,"margin":1,"chosen_index":0,"rejected_index":1})"
      "\n");
  fill("[1,104,105,10]");
  const auto read = plumb::pair_rows(stage.input("data"), model_with(64), {}, stage);
  BOOST_TEST(read.rows.groups[0].completions[1] == (Ids{98, 98}), boost::test_tools::per_element());  // cut off: no EOS
  BOOST_TEST(read.rows.pairs[0].margin == 1.0);
  const auto rendered = plumb::pair_rows(stage.input("data"), model_with(64), {.use_sampled_ids = false}, stage);
  BOOST_TEST(rendered.rows.groups[0].completions[1] == (Ids{98, 98, 2}), boost::test_tools::per_element());
  fill("[1,104,105,13]");
  BOOST_TEST(says(failure([&] { static_cast<void>(plumb::pair_rows(stage.input("data"), model_with(64), {}, stage)); }),
                  "chat format"));
  BOOST_TEST(plumb::pair_rows(stage.input("data"), model_with(64), {.use_sampled_ids = false}, stage).counts.kept == 1);
}

BOOST_AUTO_TEST_SUITE_END()
