#include "test_source.h"

using namespace plumb;
using namespace plumb::files::testing;

namespace {

// A root with answers ranked b, a, c; under b a question with one unranked answer; a deleted reply.
const char* const kTree =
    R"({"message_tree_id": "r", "tree_state": "ready_for_export", "prompt": {"message_id": "r", "text": "Q", "role": "prompter", "lang": "en", "replies": [
 {"message_id": "a", "parent_id": "r", "text": "A", "role": "assistant", "rank": 1, "replies": []},
 {"message_id": "b", "parent_id": "r", "text": "B", "role": "assistant", "rank": 0, "replies": [
  {"message_id": "d", "parent_id": "b", "text": "D", "role": "prompter", "replies": [
   {"message_id": "e", "parent_id": "d", "text": "E", "role": "assistant", "replies": []}]},
  {"message_id": "f", "parent_id": "b", "text": "F", "role": "prompter", "replies": []}]},
 {"message_id": "c", "parent_id": "r", "text": "C", "role": "assistant", "rank": 2, "replies": []},
 {"message_id": "x", "parent_id": "r", "text": "X", "role": "assistant", "rank": 3, "deleted": true, "replies": []}]}})";

std::string one_line(std::string text) {
  std::erase(text, '\n');
  return text + "\n";
}

std::vector<std::string> ids(const std::vector<Preference>& rows) {
  std::vector<std::string> out;
  for (const Preference& row : rows) out.push_back(row.id);
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(oasst)

BOOST_AUTO_TEST_CASE(the_top_of_a_tree_is_its_best_reply_at_every_level) {
  const File rows(one_line(kTree));
  const auto read = all<Demonstration>(*source("oasst", rows.path()));
  BOOST_REQUIRE(read.size() == 1U);
  BOOST_TEST(read[0].id == "r");
  const Conversation wanted{{"user", "Q"}, {"assistant", "B"}, {"user", "D"}, {"assistant", "E"}};
  BOOST_TEST((read[0].messages == wanted));
}

BOOST_AUTO_TEST_CASE(every_path_ends_with_a_last_answer) {
  const File rows(one_line(kTree));
  const auto from = source("oasst", rows.path(), {{"select", "all"}});
  std::vector<std::string> last;
  for (const Demonstration& row : all<Demonstration>(*from)) last.push_back(row.messages.back().content);
  BOOST_TEST(last == (std::vector<std::string>{"E", "A", "C"}), boost::test_tools::per_element());
  BOOST_TEST(skipped(*from, "deleted or failed in review") == 1U);
}

BOOST_AUTO_TEST_CASE(ranks_become_pairs) {
  const File rows(one_line(kTree));
  const auto pairs = all<Preference>(*source("oasst", rows.path(), {{"records", "preferences"}}));
  BOOST_TEST(ids(pairs) == (std::vector<std::string>{"b/a", "b/c", "a/c"}), boost::test_tools::per_element());
  BOOST_TEST((pairs[0].prompt.id == "r" && pairs[0].chosen == "B" && pairs[0].rejected == "A"));
  const auto extremes =
      all<Preference>(*source("oasst", rows.path(), {{"records", "preferences"}, {"pairs", "best-worst"}}));
  BOOST_TEST(ids(extremes) == (std::vector<std::string>{"b/c"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(single_messages_make_the_same_trees) {
  const File rows(R"({"message_id": "e", "parent_id": "d", "text": "E", "role": "assistant"}
{"message_id": "b", "parent_id": "r", "text": "B", "role": "assistant", "rank": 0}
{"message_id": "r", "parent_id": null, "text": "Q", "role": "prompter", "lang": "de"}
{"message_id": "d", "parent_id": "b", "text": "D", "role": "prompter"}
{"message_id": "a", "parent_id": "r", "text": "A", "role": "assistant", "rank": 1}
{"message_id": "lost", "parent_id": "nowhere", "text": "?", "role": "assistant"}
{"message_id": "m", "parent_id": "n", "text": "?", "role": "assistant"}
{"message_id": "n", "parent_id": "m", "text": "?", "role": "assistant"}
)");
  const auto from = source("oasst", rows.path());
  const auto read = all<Demonstration>(*from);
  BOOST_REQUIRE(read.size() == 1U);
  const Conversation wanted{{"user", "Q"}, {"assistant", "B"}, {"user", "D"}, {"assistant", "E"}};
  BOOST_TEST((read[0].messages == wanted));
  BOOST_TEST(skipped(*from, "message without its tree") == 3U);
  const auto english = source("oasst", rows.path(), {{"languages", Value::list({"en"})}});
  BOOST_TEST(all<Demonstration>(*english).empty());
  BOOST_TEST(skipped(*english, "another language") == 1U);
}

BOOST_AUTO_TEST_CASE(refuses_malformed_messages_and_endless_chains) {
  const File role(R"({"message_id": "a", "text": "x", "role": "bot"})");
  BOOST_TEST(refusal(*source("oasst", role.path())).find("rows.jsonl:1:42: role `bot`; wanted prompter or assistant") !=
             std::string::npos);
  std::string chain;
  for (int i = 0; i < 100'000; ++i) {
    chain += R"({"message_id": ")" + std::to_string(i) + R"(", "parent_id": )" +
             (i == 0 ? "null" : "\"" + std::to_string(i - 1) + "\"") + R"(, "text": "x", "role": ")" +
             (i % 2 == 0 ? "prompter" : "assistant") + "\"}\n";
  }
  const File long_chain(chain);
  BOOST_TEST(refusal(*source("oasst", long_chain.path())).find("more than 500 turns") != std::string::npos);
}

// Counted by a script of a few lines over the 100 trees.
BOOST_AUTO_TEST_CASE(the_shared_sample) {
  for (const char* name : {"oasst1-sample/en_100_tree.jsonl", "oasst1-sample/en_100_message.jsonl"}) {
    const std::string path = shared_data(name);
    if (path.empty()) return;
    const auto top = all<Demonstration>(*source("oasst", path));
    std::size_t messages = 0;
    for (const Demonstration& row : top) messages += row.messages.size();
    BOOST_TEST(top.size() == 100U);
    BOOST_TEST(messages == 284U);
    const auto pairs = source("oasst", path, {{"records", "preferences"}, {"deduplicate", false}});
    BOOST_TEST(all<Preference>(*pairs).size() == 754U);
    BOOST_TEST(skipped(*pairs, "unranked answer") == 6U);
    const auto extremes =
        source("oasst", path, {{"records", "preferences"}, {"pairs", "best-worst"}, {"deduplicate", false}});
    BOOST_TEST(all<Preference>(*extremes).size() == 212U);
    const auto prompts = source("oasst", path, {{"records", "prompts"}, {"deduplicate", false}});
    BOOST_TEST(all<Prompt>(*prompts).size() == 254U);
    const auto paths = source("oasst", path, {{"select", "all"}, {"deduplicate", false}});
    BOOST_TEST(all<Demonstration>(*paths).size() == 546U);
  }
}

BOOST_AUTO_TEST_SUITE_END()
