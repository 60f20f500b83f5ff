#include <set>

#include "test_source.h"

using namespace plumb;
using namespace plumb::files::testing;

namespace {

void has(const std::string& message, const std::string& part) {
  BOOST_TEST(message.find(part) != std::string::npos, message);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(jsonl)

BOOST_AUTO_TEST_CASE(reads_the_columns_of_trl) {
  const File rows(
      R"({"id": 7, "messages": [{"role": "system", "content": ""}, {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "topic": "x"}
{"prompt": "c", "completion": "d"}

{"prompt": [{"role": "user", "content": "e"}], "completion": [{"role": "assistant", "content": "f"}]}
)");
  const auto from = source("jsonl", rows.path(), {{"records", "demonstrations"}});
  const auto read = all<Demonstration>(*from);
  BOOST_REQUIRE(read.size() == 3U);
  BOOST_TEST(read[0].id == "7");
  BOOST_TEST((read[0].messages == Conversation{{"user", "a"}, {"assistant", "b"}}));
  BOOST_TEST(read[0].extra.at("topic").as_string() == "x");
  BOOST_TEST((read[1].messages == Conversation{{"user", "c"}, {"assistant", "d"}}));
  BOOST_TEST((read[2].messages == Conversation{{"user", "e"}, {"assistant", "f"}}));
  BOOST_TEST(!read[1].id.empty());
  BOOST_TEST(read[1].id != read[2].id);
}

BOOST_AUTO_TEST_CASE(reads_preferences_as_strings_and_as_conversations) {
  const File rows(R"([
 {"prompt_id": "p", "prompt": "q", "chosen": "good", "rejected": "bad", "chosen_reward": 1.5, "rejected_reward": -1, "margin": 2.5},
 {"prompt": "q", "chosen": [{"role": "user", "content": "q2"}, {"role": "assistant", "content": "good"}],
  "rejected": [{"role": "user", "content": "q2"}, {"role": "assistant", "content": "bad"}]}
])",
                  "rows.json");
  const auto from = source("jsonl", rows.path(), {{"records", "preferences"}});
  const auto read = all<Preference>(*from);
  BOOST_REQUIRE(read.size() == 2U);
  BOOST_TEST(read[0].prompt.id == "p");
  BOOST_TEST((read[0].prompt.messages == Conversation{{"user", "q"}}));
  BOOST_TEST((read[0].chosen == "good" && read[0].rejected == "bad"));
  BOOST_TEST((read[0].chosen_reward == 1.5 && read[0].rejected_reward == -1.0 && read[0].margin == 2.5));
  BOOST_TEST((read[1].prompt.messages == Conversation{{"user", "q2"}}));
}

BOOST_AUTO_TEST_CASE(prompts_and_texts) {
  const File rows("{\"prompt\": \"a\", \"level\": 3}\n{\"prompt\": [{\"role\": \"human\", \"content\": \"b\"}]}\n");
  const auto prompts = source("jsonl", rows.path(), {{"records", "prompts"}});
  const auto read = all<Prompt>(*prompts);
  BOOST_REQUIRE(read.size() == 2U);
  BOOST_TEST(read[0].extra.at("level").as_int() == 3);
  BOOST_TEST((read[1].messages == Conversation{{"user", "b"}}));
  const File plain("{\"text\": \"once upon\"}\r\n");
  const auto texts = source("jsonl", plain.path(), {{"records", "texts"}});
  const auto said = all<Demonstration>(*texts);
  BOOST_REQUIRE(said.size() == 1U);
  BOOST_TEST((said[0].messages == Conversation{{"assistant", "once upon"}}));
}

// An id without a name in the file is a function of the content, so that sampling draws the same for the same prompt.
BOOST_AUTO_TEST_CASE(ids_do_not_depend_on_the_order_of_rows) {
  const File one("{\"prompt\": \"a\"}\n{\"prompt\": \"b\"}\n"), other("{\"prompt\": \"b\"}\n{\"prompt\": \"a\"}\n");
  const auto first = all<Prompt>(*source("jsonl", one.path(), {{"records", "prompts"}}));
  const auto second = all<Prompt>(*source("jsonl", other.path(), {{"records", "prompts"}}));
  BOOST_TEST(first[0].id == second[1].id);
  BOOST_TEST(first[1].id == second[0].id);
}

// TRL's explicit form: the answers go on for several messages after `prompt`.
BOOST_AUTO_TEST_CASE(answers_of_several_messages_go_on_from_the_prompt) {
  const File rows(
      R"({"prompt": [{"role": "user", "content": "Q"}], "chosen": [{"role": "assistant", "content": "c1"}, {"role": "user", "content": "more"}, {"role": "assistant", "content": "c2"}], "rejected": [{"role": "assistant", "content": "c1"}, {"role": "user", "content": "more"}, {"role": "assistant", "content": "r2"}]}
{"prompt": [{"role": "system", "content": "S"}, {"role": "user", "content": "Q"}], "chosen": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "a"}], "rejected": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "b"}]}
{"prompt": [{"role": "user", "content": "Q"}], "chosen": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "x"}], "rejected": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "y"}]}
{"prompt": [{"role": "user", "content": "Q"}], "chosen": [{"role": "user", "content": "other"}, {"role": "assistant", "content": "x"}], "rejected": [{"role": "user", "content": "other"}, {"role": "assistant", "content": "y"}]}
)");
  const auto from = source("jsonl", rows.path(), {{"records", "preferences"}});
  const auto read = all<Preference>(*from);
  BOOST_REQUIRE(read.size() == 3U);
  BOOST_TEST((read[0].prompt.messages == Conversation{{"user", "Q"}, {"assistant", "c1"}, {"user", "more"}}));
  BOOST_TEST((read[0].chosen == "c2" && read[0].rejected == "r2"));
  BOOST_TEST((read[1].prompt.messages == Conversation{{"system", "S"}, {"user", "Q"}}));
  BOOST_TEST((read[2].prompt.messages == Conversation{{"user", "Q"}}));
  BOOST_TEST(skipped(*from, "turns out of order") == 1U);
}

// 2^53 + 1 and 2^53 + 2 are one double; an id beyond the integers is refused rather than rounded.
BOOST_AUTO_TEST_CASE(ids_of_64_bits_are_kept_exactly) {
  const File rows(
      "{\"id\": 9007199254740993, \"prompt\": \"a\"}\n{\"id\": 9007199254740994, \"prompt\": \"b\"}\n"
      "{\"id\": 9223372036854775807, \"prompt\": \"c\"}\n{\"id\": \"18446744073709551615\", \"prompt\": \"d\"}\n");
  std::vector<std::string> ids;
  for (const Prompt& row : all<Prompt>(*source("jsonl", rows.path(), {{"records", "prompts"}}))) ids.push_back(row.id);
  const std::vector<std::string> wanted{"9007199254740993", "9007199254740994", "9223372036854775807",
                                        "18446744073709551615"};
  BOOST_TEST(ids == wanted, boost::test_tools::per_element());
  const File large("{\"id\": 18446744073709551615, \"prompt\": \"d\"}\n");
  has(refusal(*source("jsonl", large.path(), {{"records", "prompts"}})),
      "rows.jsonl:1:8: key `id` is neither a text nor");
}

BOOST_AUTO_TEST_CASE(byte_order_marks_and_line_ends_of_other_systems) {
  const File rows("\xEF\xBB\xBF{\"prompt\": \"a\"}\r\n \r\n{\"prompt\": \"b\"}\r\n");
  BOOST_TEST(all<Prompt>(*source("jsonl", rows.path(), {{"records", "prompts"}})).size() == 2U);
  const File list("\xEF\xBB\xBF[{\"prompt\": \"a\"},\r\n{\"prompt\": \"b\"}]", "rows.json");
  BOOST_TEST(all<Prompt>(*source("jsonl", list.path(), {{"records", "prompts"}})).size() == 2U);
  const File wide(std::string("\xFF\xFE{\0\"\0", 6));
  has(refusal(*source("jsonl", wide.path(), {{"records", "prompts"}})), "is UTF-16; wanted UTF-8");
}

BOOST_AUTO_TEST_CASE(messages_that_are_no_text_are_counted) {
  const File rows(
      R"({"messages": [{"role": "user", "content": "weather?"}, {"role": "assistant", "content": null, "tool_calls": [{"name": "f"}]}]}
{"messages": [{"role": "user", "content": "weather?"}, {"role": "tool", "content": "12"}, {"role": "assistant", "content": "12"}]}
{"messages": [{"role": "system", "content": "only this"}]}
{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
)");
  const auto from = source("jsonl", rows.path(), {{"records", "demonstrations"}});
  BOOST_TEST(all<Demonstration>(*from).size() == 1U);
  for (const char* reason : {"tool calls", "a role other than system, user, assistant", "no message of the user"}) {
    BOOST_TEST(skipped(*from, reason) == 1U, reason);
  }
}

BOOST_AUTO_TEST_CASE(counts_what_it_leaves_out) {
  const File rows(R"({"prompt": "q", "chosen": "a", "rejected": "b"}
{"prompt": "q", "chosen": "a", "rejected": "b"}
{"prompt": "q", "chosen": "a", "rejected": " a\n"}
{"prompt": "q", "chosen": "a", "rejected": "  "}
{"prompt": " ", "chosen": "a", "rejected": "b"}
{"prompt": [{"role": "assistant", "content": "x"}], "chosen": "a", "rejected": "b"}
{"prompt": "q", "chosen": "a", "rejected": "c"}
)");
  const auto from = source("jsonl", rows.path(), {{"records", "preferences"}});
  BOOST_TEST(all<Preference>(*from).size() == 2U);
  for (const char* reason : {"duplicate", "identical pair", "empty answer", "empty message", "turns out of order"}) {
    BOOST_TEST(skipped(*from, reason) == 1U, reason);
  }
  const auto kept = source("jsonl", rows.path(), {{"records", "preferences"}, {"deduplicate", false}});
  const auto rows_kept = all<Preference>(*kept);
  BOOST_REQUIRE(rows_kept.size() == 3U);
  // Under ids of their own, or the dataset would take them for one row.
  BOOST_TEST(std::set<std::string>({rows_kept[0].id, rows_kept[1].id, rows_kept[2].id}).size() == 3U);
}

BOOST_AUTO_TEST_CASE(malformed_rows_have_a_place) {
  const auto refused = [](const std::string& text, const char* records = "demonstrations") {
    const File rows(
        "{\"prompt\": \"fine\", \"completion\": \"fine\", \"text\": \"t\", \"chosen\": \"a\", \"rejected\": \"b\"}\n" +
        text);
    const auto from = source("jsonl", rows.path(), {{"records", records}});
    return refusal(*from);
  };
  has(refused("{\"messages\": [}\n"), "rows.jsonl:2:15: ");
  has(refused("[1]\n"), "rows.jsonl:2:1: ");
  has(refused("{\"prompt\": \"x\"}\n"), "rows.jsonl:2:1: a demonstration has the key `messages`");
  has(refused("{\"messages\": [{\"role\": \"user\"}]}"), "rows.jsonl:2:15: key `content` is missing");
  has(refused("{\"prompt\": \"x\", \"completion\": 5}"),
      "`completion` is of type integer; wanted a text or a list of messages");
  has(refused("{\"text\": 1}", "texts"), "rows.jsonl:2:10: key `text` is of type integer, wanted string");
  has(refused("{\"chosen\": \"a\", \"rejected\": \"b\"}", "preferences"), "key `prompt` is missing");
  has(refused("{\"prompt\": \"\xff\", \"completion\": \"x\"}"), "malformed UTF-8");
  has(refused("{\"prompt\": \"a\", \"prompt\": \"b\"}"), "appears twice");
}

BOOST_AUTO_TEST_CASE(malformed_rows_can_be_counted_instead) {
  const File rows("{\"prompt\": \"a\"}\n{oops\n{\"prompt\": 3}\n{\"prompt\": \"b\"}\n");
  const auto from = source("jsonl", rows.path(), {{"records", "prompts"}, {"malformed", "skip"}});
  BOOST_TEST(all<Prompt>(*from).size() == 2U);
  BOOST_TEST(skipped(*from, "malformed") == 2U);
}

// What is wrong with the file is no row, and there is no row after it.
BOOST_AUTO_TEST_CASE(a_broken_archive_is_never_passed_over) {
  const File rows("no archive", "rows.jsonl.zst");
  const auto from = source("jsonl", rows.path(), {{"records", "prompts"}, {"malformed", "skip"}});
  has(refusal(*from), "rows.jsonl.zst: is no zstd archive");
  BOOST_TEST(skipped(*from, "malformed") == 0U);
}

BOOST_AUTO_TEST_CASE(parquet_is_for_another_plugin) {
  const File rows("PAR1", "train-00000-of-00001.parquet");
  for (const std::string& path : {rows.path(), rows.folder(), rows.path("not-there.parquet")}) {
    BOOST_CHECK_EXCEPTION(source("hh-rlhf", path), Error, [&](const Error& error) {
      has(error.what(), path);
      has(error.what(), "the plugin data-parquet");
      has(error.what(), "tools/setup --with-parquet");
      return error.code() == ErrorCode::data;
    });
  }
}

BOOST_AUTO_TEST_CASE(a_folder_is_read_by_name) {
  const File rows("{\"prompt\": \"b\"}\n", "2.jsonl");
  std::ofstream(rows.path("1.json")) << "[{\"prompt\": \"a\"}]";
  std::ofstream(rows.path("README.md")) << "not data";
  const auto from = source("jsonl", rows.folder(), {{"records", "prompts"}});
  const auto read = all<Prompt>(*from);
  BOOST_REQUIRE(read.size() == 2U);
  BOOST_TEST(read[0].messages[0].content == "a");
  BOOST_TEST(from->files().size() == 2U);
  const File empty("", "notes.txt");
  BOOST_CHECK_THROW(source("jsonl", empty.folder(), {{"records", "prompts"}}), Error);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(formats)

BOOST_AUTO_TEST_CASE(hh_splits_at_the_last_answer) {
  const File rows(
      R"({"chosen": "\n\nHuman: hi\n\nAssistant: hello\n\nHuman: say \"\n\nHuman: x\" please \n\nAssistant: good one", "rejected": "\n\nHuman: hi\n\nAssistant: hello\n\nHuman: say \"\n\nHuman: x\" please \n\nAssistant: bad"}
{"chosen": "\n\nHuman: hi\n\nAssistant: a\n\nHuman: b\n\nAssistant: c", "rejected": "\n\nHuman: hi\n\nAssistant: z"}
{"chosen": "Human: hi\n\nAssistant: a", "rejected": "\n\nHuman: hi\n\nAssistant: z"}
)");
  const auto from = source("hh-rlhf", rows.path(), {{"malformed", "skip"}});
  const auto read = all<Preference>(*from);
  BOOST_REQUIRE(read.size() == 1U);
  const Conversation wanted{{"user", "hi"}, {"assistant", "hello"}, {"user", "say \"\n\nHuman: x\" please"}};
  BOOST_TEST((read[0].prompt.messages == wanted));
  BOOST_TEST((read[0].chosen == "good one" && read[0].rejected == "bad"));
  BOOST_TEST(skipped(*from, "prompts differ") == 1U);
  BOOST_TEST(skipped(*from, "malformed") == 1U);
}

BOOST_AUTO_TEST_CASE(hh_answers_end_where_the_human_speaks_again) {
  const File rows(
      R"({"chosen": "\n\nHuman: hi\n\nAssistant: hello\n\nHuman: bye", "rejected": "\n\nHuman: hi\n\nAssistant: go away"}
{"chosen": "\n\nHuman: hi\n\nAssistant:\n\nHuman: bye", "rejected": "\n\nHuman: hi\n\nAssistant: go away"}
)");
  const auto from = source("hh-rlhf", rows.path());
  const auto read = all<Preference>(*from);
  BOOST_REQUIRE(read.size() == 1U);
  BOOST_TEST((read[0].chosen == "hello" && read[0].rejected == "go away"));
  BOOST_TEST(skipped(*from, "cut: the human speaks last, which is left out") == 1U);
  BOOST_TEST(skipped(*from, "empty answer") == 1U);
}

// Counted by a script of a few lines: 4,000 rows, 6 of differing prompts, 2 identical pairs, 1 empty answer.
BOOST_AUTO_TEST_CASE(hh_of_the_shared_data) {
  const std::string path = shared_data("hh-rlhf-helpful/test.jsonl");
  if (path.empty()) return;
  const auto from = source("hh-rlhf", path);
  BOOST_TEST(all<Preference>(*from).size() == 3991U);
  BOOST_TEST(skipped(*from, "prompts differ") == 6U);
  BOOST_TEST(skipped(*from, "identical pair") == 2U);
  BOOST_TEST(skipped(*from, "empty answer") == 1U);
}

BOOST_AUTO_TEST_CASE(webgpt_prefers_the_higher_score) {
  const File rows(
      R"({"question": {"full_text": "Why?", "id": "q1", "dataset": "eli5"}, "answer_0": "No.", "answer_1": "Because [1, 2]. So [3] it [is].", "score_0": -0.5, "score_1": 0.5}
{"question": {"full_text": "Why?", "id": "q1"}, "answer_0": "x", "answer_1": "y", "score_0": 0, "score_1": 0}
{"question": "Bare?", "answer_0": "x", "answer_1": "y", "score_0": 1.0, "score_1": -1.0}
)");
  const auto from = source("webgpt", rows.path());
  const auto read = all<Preference>(*from);
  BOOST_REQUIRE(read.size() == 2U);
  BOOST_TEST(read[0].prompt.id == "webgpt-q1");
  BOOST_TEST(read[0].chosen == "Because. So it [is].");
  BOOST_TEST(read[0].rejected == "No.");
  BOOST_TEST((read[1].chosen == "x" && read[1].prompt.messages[0].content == "Bare?"));
  BOOST_TEST(skipped(*from, "tied") == 1U);
  const auto whole = source("webgpt", rows.path(), {{"references", true}});
  BOOST_TEST(all<Preference>(*whole)[0].chosen == "Because [1, 2]. So [3] it [is].");
  const File uneven("{\"question\": \"q\", \"answer_0\": \"x\", \"answer_1\": \"y\", \"score_0\": 1, \"score_1\": 1}");
  has(refusal(*source("webgpt", uneven.path())), "must add up to 0");
}

BOOST_AUTO_TEST_CASE(alpaca_joins_instruction_and_input) {
  const File rows(
      R"([{"instruction": "Sum.", "input": "1 2", "output": "3", "history": [["hi", "yo"]], "system": "Be brief."}])",
      "a.json");
  const auto read = all<Demonstration>(*source("alpaca", rows.path()));
  BOOST_REQUIRE(read.size() == 1U);
  const Conversation wanted{
      {"system", "Be brief."}, {"user", "hi"}, {"assistant", "yo"}, {"user", "Sum.\n1 2"}, {"assistant", "3"}};
  BOOST_TEST((read[0].messages == wanted));
  const std::string path = shared_data("llama-factory-demo/alpaca_en_demo.json");
  if (path.empty()) return;
  const auto from = source("alpaca", path);
  BOOST_TEST(all<Demonstration>(*from).size() == 985U);
  BOOST_TEST(skipped(*from, "duplicate") == 14U);
}

// FastChat drops what the assistant says first, and what the human says last; it has no use for the second row.
BOOST_AUTO_TEST_CASE(sharegpt_rows_that_begin_or_end_with_the_wrong_side_are_kept) {
  const File rows(
      R"({"conversations": [{"from": "system", "value": "s"}, {"from": "gpt", "value": "Welcome"}, {"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}]}
{"conversations": [{"from": "human", "value": "a"}, {"from": "human", "value": "b"}, {"from": "gpt", "value": "c"}]}
{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "c"}, {"from": "human", "value": "tail"}]}
{"conversations": [{"from": "gpt", "value": "alone"}]}
)");
  const auto from = source("sharegpt", rows.path());
  const auto read = all<Demonstration>(*from);
  BOOST_REQUIRE(read.size() == 2U);
  BOOST_TEST((read[0].messages == Conversation{{"system", "s"}, {"user", "hi"}, {"assistant", "hello"}}));
  BOOST_TEST((read[1].messages == Conversation{{"user", "a"}, {"assistant", "c"}}));
  BOOST_TEST(skipped(*from, "turns out of order") == 1U);
  BOOST_TEST(skipped(*from, "no message") == 1U);
  BOOST_TEST(skipped(*from, "cut: the assistant speaks first, which is left out") == 1U);
  BOOST_TEST(skipped(*from, "cut: the human speaks last, which is left out") == 1U);
}

BOOST_AUTO_TEST_CASE(alpaca_preferences_read_as_demonstrations_say_what_to_set) {
  const File rows(R"([{"instruction": "i", "chosen": "a", "rejected": "b"}])", "a.json");
  has(refusal(*source("alpaca", rows.path())), "for preferences set records: preferences");
  const File empty(R"([{"instruction": "i", "output": ""}])", "a.json");
  const auto from = source("alpaca", empty.path());
  BOOST_TEST(all<Demonstration>(*from).empty());
  BOOST_TEST(skipped(*from, "empty message") == 1U);
}

BOOST_AUTO_TEST_CASE(sharegpt_preferences_read_as_demonstrations_say_what_to_set) {
  const std::string path = shared_data("llama-factory-demo/dpo_en_demo.json");
  if (path.empty()) return;
  const auto from = source("sharegpt", path);
  BOOST_TEST(all<Demonstration>(*from).empty());
  BOOST_TEST(skipped(*from, "no answer; for preferences set records: preferences") == 300U);
}

BOOST_AUTO_TEST_CASE(sharegpt_of_the_shared_data) {
  const std::string path = shared_data("llama-factory-demo/dpo_en_demo.json");
  if (path.empty()) return;
  const auto from = source("sharegpt", path, {{"records", "preferences"}});
  const auto read = all<Preference>(*from);
  std::size_t left_out = 0;
  for (const auto& [reason, count] : from->skipped()) left_out += count;
  BOOST_TEST(read.size() + left_out == 300U);
  BOOST_TEST(read.size() > 290U);
  has(read[0].prompt.messages[0].content, "a character named Angela");
  has(read[0].chosen, "That sounds like a fun and engaging idea!");
}

BOOST_AUTO_TEST_CASE(benchmark_prompts_of_the_shared_data) {
  const std::string questions = shared_data("mt-bench/question.jsonl");
  const std::string outputs = shared_data("alpaca-eval/text_davinci_003/model_outputs.json");
  if (questions.empty() || outputs.empty()) return;
  const auto mt = all<Prompt>(*source("mt-bench-questions", questions));
  BOOST_REQUIRE(mt.size() == 80U);
  BOOST_TEST(mt[0].id == "mt-bench-81");
  BOOST_TEST(mt[0].extra.at("turns").as_list().size() == 2U);
  BOOST_TEST(mt[0].extra.at("category").as_string() == "writing");
  const auto eval = all<Prompt>(*source("alpaca-eval-instructions", outputs, {{"deduplicate", false}}));
  BOOST_TEST(eval.size() == 805U);
  BOOST_TEST(!eval[0].extra.at("reference").as_string().empty());
  // Counted with Python's json in the same file.
  const auto helpful = all<Prompt>(*source("alpaca-eval-instructions", outputs,
                                           {{"deduplicate", false}, {"datasets", Value::list({"helpful_base"})}}));
  BOOST_TEST(helpful.size() == 129U);
  const auto one = all<Prompt>(*source("alpaca-eval-instructions", outputs, {{"rows", Value::list({335})}}));
  BOOST_REQUIRE(one.size() == 1U);
  BOOST_TEST(one[0].messages[0].content == eval[334].messages[0].content);
}

BOOST_AUTO_TEST_CASE(a_part_of_a_benchmark_is_taken_by_its_groups_and_numbers) {
  const File rows(R"({"question_id": 7, "category": "math", "turns": ["a", "b"]}
{"question_id": 9, "category": "writing", "turns": ["c"]}
{"question_id": 8, "category": "math", "turns": ["d"]}
)");
  const auto ids = [&](std::initializer_list<std::pair<std::string, Value>> params) {
    std::string found;
    for (const Prompt& prompt : all<Prompt>(*source("mt-bench-questions", rows.path(), params)))
      found += prompt.messages[0].content;
    return found;
  };
  BOOST_TEST(ids({{"categories", Value::list({"math"})}}) == "ad");
  BOOST_TEST(ids({{"question_ids", Value::list({8, 9})}}) == "cd");
  const auto says = [](const char* what) {
    return [what](const Error& error) { return std::string(error.what()).find(what) != std::string::npos; };
  };
  BOOST_CHECK_EXCEPTION(ids({{"categories", Value::list({"maths"})}}), Error, says("there are: math, writing"));
  BOOST_CHECK_EXCEPTION(ids({{"question_ids", Value::list({81})}}), Error,
                        says("there is no 81; there are 3, from 7 to 9"));
}

BOOST_AUTO_TEST_SUITE_END()
