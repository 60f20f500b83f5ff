#include <zlib.h>
#include <zstd.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <set>

#include "framework/core/artifacts/records_file.h"
#include "framework/core/kinds/test_stage.h"

namespace plumb {
namespace {

using test::TestStage;

Value dataset(const char* records, std::int64_t count, std::initializer_list<std::pair<std::string, Value>> more = {}) {
  Value params = Value::map({{"source", Value::map({{"name", "requests"}, {"records", records}, {"count", count}})}});
  for (const auto& [key, value] : more) params.set(key, value);
  return params;
}

std::vector<std::string> prompt_ids(TestStage& stage) {
  std::vector<std::string> ids;
  for (const Prompt& row : read_prompts(stage.folder() / "prompts.jsonl").value()) ids.push_back(row.id);
  return ids;
}

std::vector<std::string> run_for_ids(const Value& params, std::uint64_t seed = 7) {
  TestStage stage(params);
  stage.seed_ = seed;
  run_stage("dataset", stage);
  return prompt_ids(stage);
}

std::string refusal(const Value& params, ErrorCode code) {
  TestStage stage(params);
  try {
    run_stage("dataset", stage);
  } catch (const Error& error) {
    BOOST_TEST(static_cast<int>(error.code()) == static_cast<int>(code));
    return error.what();
  }
  return "nothing was thrown";
}

void write_gzip(const std::filesystem::path& file, const std::string& text) {
  const gzFile to = gzopen(file.c_str(), "wb");
  BOOST_REQUIRE(gzwrite(to, text.data(), static_cast<unsigned>(text.size())) == static_cast<int>(text.size()));
  gzclose(to);
}

void write_zstd(const std::filesystem::path& file, const std::string& text) {
  std::string bytes(ZSTD_compressBound(text.size()), '\0');
  bytes.resize(ZSTD_compress(bytes.data(), bytes.size(), text.data(), text.size(), 3));
  std::ofstream(file, std::ios::binary) << bytes;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(dataset_stage)

// One row is fine; every other is wrong in a way of its own. What `plumb show` prints is the summary.
BOOST_AUTO_TEST_CASE(rows_left_out_are_counted_by_reason_from_archives_too) {
  const std::string rows = R"({"question": "q", "answer_0": "a", "answer_1": "b", "score_0": 1, "score_1": -1}
{"question": "q", "answer_0": "a", "answer_1": "b", "score_0": 1, "score_1": -1}
{"question": "q", "answer_0": "x", "answer_1": "y", "score_0": 0, "score_1": 0}
{"question": "q", "answer_0": "x", "answer_1": "y", "score_0": 0, "score_1": 0.0}
{"question": "q", "answer_0": "same", "answer_1": "same", "score_0": 0.5, "score_1": -0.5}
{"question": "q", "answer_0": "x", "answer_1": "y", "score_0": 1, "score_1"
{"question": "q", "answer_0": "x", "answer_1": "y", "score_0": "high", "score_1": -1}
)";
  const test::Folder folder;
  write_gzip(folder / "rows.jsonl.gz", rows);
  write_zstd(folder / "rows.jsonl.zst", rows);
  std::ofstream(folder / "rows.jsonl") << rows;
  for (const char* file : {"rows.jsonl", "rows.jsonl.gz", "rows.jsonl.zst"}) {
    TestStage stage(Value::map(
        {{"source", Value::map({{"name", "webgpt"}, {"path", (folder / file).string()}, {"malformed", "skip"}})}}));
    run_stage("dataset", stage);
    BOOST_TEST_CONTEXT(file << ": " << to_json(stage.summary)) {
      BOOST_TEST(stage.summary.at("rows").as_int() == 1);
      BOOST_TEST(stage.accounted.line() ==
                 "left out 6 of 7 rows: 2 malformed, 2 tied, 1 duplicate (deduplicate: false keeps them), "
                 "1 identical pair");
    }
  }
}

BOOST_AUTO_TEST_CASE(writes_the_source_in_order) {
  TestStage stage(dataset("prompts", 30));
  run_stage("dataset", stage);
  const auto ids = prompt_ids(stage);
  BOOST_REQUIRE(ids.size() == 30U);
  BOOST_TEST(ids.front() == "train-000000");
  BOOST_TEST(ids.back() == "train-000029");
  BOOST_TEST(stage.summary.at("rows").as_int() == 30);
  BOOST_TEST(stage.summary.at("read").as_int() == 30);
}

BOOST_AUTO_TEST_CASE(limit_and_skip_cut_disjoint_parts) {
  const auto all = run_for_ids(dataset("prompts", 30, {{"shuffle", true}}));
  const auto first = run_for_ids(dataset("prompts", 30, {{"shuffle", true}, {"limit", 12}}));
  const auto rest = run_for_ids(dataset("prompts", 30, {{"shuffle", true}, {"skip", 12}}));
  std::vector<std::string> joined = first;
  joined.insert(joined.end(), rest.begin(), rest.end());
  BOOST_TEST(joined == all, boost::test_tools::per_element());
  BOOST_TEST(std::set<std::string>(all.begin(), all.end()).size() == 30U);
  const auto plain = run_for_ids(dataset("prompts", 30));
  BOOST_TEST((all != plain));
  BOOST_TEST((all != run_for_ids(dataset("prompts", 30, {{"shuffle", true}}), 8)));
  const std::vector<std::string> expected(plain.begin() + 5, plain.begin() + 9);
  BOOST_TEST(run_for_ids(dataset("prompts", 30, {{"skip", 5}, {"limit", 4}})) == expected,
             boost::test_tools::per_element());
}

// Twelve rows of four prompts. Whatever the shuffle, no prompt stands in both parts, and both together are all rows.
BOOST_AUTO_TEST_CASE(parts_counted_by_prompts_share_none) {
  const test::Folder folder;
  std::ofstream file(folder / "rows.jsonl");
  for (int i = 0; i < 12; ++i) {
    file << R"({"question": "q)" << i % 4 << R"(", "answer_0": "a)" << i
         << R"(", "answer_1": "b", "score_0": 1, "score_1": -1})"
         << "\n";
  }
  file.close();
  const auto part = [&](std::int64_t skip, std::int64_t limit, std::uint64_t seed) {
    TestStage stage(
        Value::map({{"source", Value::map({{"name", "webgpt"}, {"path", (folder / "rows.jsonl").string()}})},
                    {"shuffle", true},
                    {"count_by", "prompts"},
                    {"skip", skip},
                    {"limit", limit}}));
    stage.seed_ = seed;
    run_stage("dataset", stage);
    std::multiset<std::string> questions;
    for (const Preference& row : read_preferences(stage.folder() / "preferences.jsonl").value()) {
      questions.insert(row.prompt.messages.front().content);
    }
    BOOST_TEST(stage.summary.at("prompts").as_int() * 3 == static_cast<std::int64_t>(questions.size()));
    return questions;
  };
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    const auto train = part(0, 3, seed), held_out = part(3, 0, seed);
    BOOST_TEST(train.size() == 9U);
    BOOST_TEST(held_out.size() == 3U);
    for (const std::string& question : held_out) BOOST_TEST(train.count(question) == 0U);
  }
}

BOOST_AUTO_TEST_CASE(a_default_that_drops_all_rows_says_what_to_set) {
  const test::Folder folder;
  std::ofstream(folder / "rows.jsonl")
      << R"({"conversations": [{"from": "human", "value": "a"}], "chosen": {"from": "gpt", "value": "b"}, "rejected": {"from": "gpt", "value": "c"}})";
  const std::string said =
      refusal(Value::map({{"source", Value::map({{"name", "sharegpt"}, {"path", (folder / "rows.jsonl").string()}})}}),
              ErrorCode::data);
  BOOST_TEST(
      said.find("left out 1 of 1 rows: no answer; for preferences set records: preferences") != std::string::npos,
      said);
}

BOOST_AUTO_TEST_CASE(a_demonstration_without_a_user_becomes_no_prompt_and_is_counted) {
  const test::Folder folder;
  std::ofstream(folder / "rows.jsonl") << "{\"text\": \"once\"}\n";
  const std::string said = refusal(
      Value::map({{"source",
                   Value::map({{"name", "jsonl"}, {"records", "texts"}, {"path", (folder / "rows.jsonl").string()}})},
                  {"as", "prompts"}}),
      ErrorCode::data);
  BOOST_TEST(said.find("left out 1 of 1 rows: no message of the user") != std::string::npos, said);
}

BOOST_AUTO_TEST_CASE(preferences_become_prompts_with_their_annotation) {
  TestStage pairs(dataset("preferences", 20)), prompts(dataset("preferences", 20, {{"as", "prompts"}}));
  run_stage("dataset", pairs);
  run_stage("dataset", prompts);
  const auto from = read_preferences(pairs.folder() / "preferences.jsonl").value();
  const auto to = read_prompts(prompts.folder() / "prompts.jsonl").value();
  BOOST_REQUIRE(from.size() == to.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    BOOST_TEST(to[i].id == from[i].prompt.id);
    BOOST_TEST((to[i].messages == from[i].prompt.messages));
    BOOST_TEST(to[i].extra.at("annotation").at("chosen").as_string() == from[i].chosen);
    BOOST_TEST(to[i].extra.at("annotation").at("rejected").as_string() == from[i].rejected);
  }
}

BOOST_AUTO_TEST_CASE(demonstrations_become_prompts_and_texts) {
  TestStage shown(dataset("demonstrations", 20)), prompts(dataset("demonstrations", 20, {{"as", "prompts"}}));
  TestStage texts(dataset("demonstrations", 20, {{"as", "texts"}}));
  for (TestStage* stage : {&shown, &prompts, &texts}) run_stage("dataset", *stage);
  const auto from = read_demonstrations(shown.folder() / "demonstrations.jsonl").value();
  const auto to = read_prompts(prompts.folder() / "prompts.jsonl").value();
  const auto plain = read_demonstrations(texts.folder() / "demonstrations.jsonl").value();
  BOOST_REQUIRE((from.size() == 20U && to.size() == 20U && plain.size() == 20U));
  for (std::size_t i = 0; i < from.size(); ++i) {
    const Conversation before(from[i].messages.begin(), from[i].messages.end() - 1);
    BOOST_TEST((to[i].messages == before));
    BOOST_TEST(to[i].extra.at("reference").as_string() == from[i].messages.back().content);
    std::string joined;
    for (const Message& message : from[i].messages) joined += (joined.empty() ? "" : "\n") + message.content;
    BOOST_REQUIRE(plain[i].messages.size() == 1U);
    BOOST_TEST(plain[i].messages[0].content == joined);
  }
}

BOOST_AUTO_TEST_CASE(refuses_what_leaves_no_row_or_cannot_be_converted) {
  BOOST_TEST(refusal(dataset("prompts", 5, {{"skip", 5}}), ErrorCode::data).find("the source gave 5") !=
             std::string::npos);
  BOOST_TEST(refusal(dataset("prompts", 5, {{"as", "demonstrations"}}), ErrorCode::recipe)
                 .find("cannot become demonstrations") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(stops_when_asked_to) {
  TestStage stage(dataset("prompts", 5));
  stage.cancel = true;
  BOOST_CHECK_THROW(run_stage("dataset", stage), Cancelled);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace plumb
