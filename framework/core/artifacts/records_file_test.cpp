#include "framework/core/artifacts/records_file.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <fstream>

#include "framework/core/artifacts/test_folder.h"

namespace plumb {
namespace {

using plumb::test::Folder;

std::string content(const std::filesystem::path& file) {
  return read_file(file).value();
}

void write(const std::filesystem::path& file, const std::string& text) {
  std::ofstream(file, std::ios::binary) << text;
}

const std::string good_prompt = R"({"prompt_id":"p1","prompt":[{"role":"user","content":"Hi"}]})";

ResponseGroup group(const std::string& id) {
  ResponseGroup g;
  g.prompt = {id, {{"user", "Name \"two\"\nfruits."}}, Value::map({{"category", "fruit"}})};
  g.prompt_ids = {1, 5, 7};
  g.responses = {{"plum", {9, 2}, FinishReason::stop, 0.1}, {"pear", {10}, FinishReason::length, std::nullopt}};
  return g;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(records_file)

BOOST_AUTO_TEST_CASE(rows_have_the_documented_columns) {
  ResponseGroup g = group("p1");
  BOOST_TEST(to_json(to_value(g)) ==
             R"({"prompt_id":"p1","prompt":[{"role":"user","content":"Name \"two\"\nfruits."}],"category":"fruit",)"
             R"("prompt_ids":[1,5,7],"responses":[{"text":"plum","ids":[9,2],"finish":"stop","reward":0.1},)"
             R"({"text":"pear","ids":[10],"finish":"length"}]})");
  Preference preference{"x", {"p2", {{"user", "Hi"}}, {}}, "yes", "no", 1.5, -0.5, 2.0};
  BOOST_TEST(to_json(to_value(preference)) ==
             R"({"id":"x","prompt_id":"p2","prompt":[{"role":"user","content":"Hi"}],)"
             R"("chosen":[{"role":"assistant","content":"yes"}],"rejected":[{"role":"assistant","content":"no"}],)"
             R"("chosen_reward":1.5,"rejected_reward":-0.5,"margin":2.0})");
}

BOOST_AUTO_TEST_CASE(groups_come_back_as_they_were) {
  Folder folder;
  ResponseGroup g = group("p1");
  g.annotation = Preference{"a1", g.prompt, "good", "bad", std::nullopt, std::nullopt, 0.25};
  {
    RowWriter writer(folder / "responses.jsonl");
    writer.write(to_value(g));
  }
  const auto rows = read_groups(folder / "responses.jsonl").value();
  BOOST_REQUIRE(rows.size() == 1U);
  const ResponseGroup& r = rows[0];
  BOOST_TEST(r.prompt.id == "p1");
  BOOST_CHECK(r.prompt.messages == g.prompt.messages);
  BOOST_CHECK(r.prompt.extra == g.prompt.extra);
  BOOST_CHECK(r.prompt_ids == g.prompt_ids);
  BOOST_REQUIRE(r.responses.size() == 2U);
  BOOST_TEST(*r.responses[0].reward == 0.1);
  BOOST_TEST(!r.responses[1].reward.has_value());
  BOOST_CHECK(r.responses[1].finish == FinishReason::length);
  BOOST_CHECK(r.responses[0].ids == (std::vector<TokenId>{9, 2}));
  BOOST_REQUIRE(r.annotation.has_value());
  BOOST_TEST(r.annotation->id == "a1");
  BOOST_TEST(r.annotation->rejected == "bad");
  BOOST_TEST(*r.annotation->margin == 0.25);
  BOOST_CHECK(r.annotation->prompt.extra == g.prompt.extra);
}

BOOST_AUTO_TEST_CASE(demonstrations_and_prompts_keep_further_columns) {
  Folder folder;
  write(folder / "d.jsonl",
        R"({"id":"d","messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"n":3})"
        "\n\n");
  const auto rows = read_demonstrations(folder / "d.jsonl").value();
  BOOST_REQUIRE(rows.size() == 1U);
  BOOST_TEST(rows[0].messages[1].content == "b");
  BOOST_TEST(to_json(rows[0].extra) == R"({"n":3})");
  write(folder / "p.jsonl", good_prompt);  // no line feed at the end: a file made by hand
  BOOST_TEST(read_prompts(folder / "p.jsonl").value().size() == 1U);
}

BOOST_AUTO_TEST_CASE(malformed_rows_are_named_by_file_line_and_column) {
  Folder folder;
  const std::filesystem::path file = folder / "p.jsonl";
  const auto message = [&](const std::string& second_row) {
    write(file, good_prompt + "\n" + second_row + "\n");
    const auto read = read_prompts(file);
    BOOST_REQUIRE(!read);
    BOOST_CHECK(read.error().code() == ErrorCode::data);
    return std::string(read.error().what());
  };
  const std::string place = file.string() + ":2:";
  const auto starts = [](const std::string& text, const std::string& start) {
    BOOST_CHECK_MESSAGE(text.starts_with(start), text << "\n  should start with " << start);
  };
  starts(message(R"({"prompt_id":"p2","prompt":[{"role":"user")"), place);  // torn
  starts(message(R"({"prompt_id": 7, "prompt": []})"), place + "15: `prompt_id` is of type integer, wanted a text");
  starts(message(R"({"prompt_id":"p2"})"), place + "1: column `prompt` is missing");
  starts(message(R"({"prompt_id":"p2","prompt":[]})"), place + "28: `prompt` holds no message");
  starts(message(R"({"prompt_id":"p2","prompt":[{"role":"bot","content":"x"}]})"), place + "37: role `bot`");
  starts(message(R"({"prompt_id":"p2","prompt":[{"role":"assistant","content":"x"}]})"),
         place + "28: `prompt` must end");
  starts(message("[1]"), place + "1: found a list, wanted a row");
  starts(message(R"({"prompt_id":"p2","prompt_id":"p3"})"), place + "19: key \"prompt_id\" appears twice");
}

BOOST_AUTO_TEST_CASE(a_missing_file_is_named) {
  const auto read = read_groups("/nonexistent/rows.jsonl");
  BOOST_REQUIRE(!read);
  BOOST_TEST(std::string(read.error().what()) == "cannot open /nonexistent/rows.jsonl: No such file or directory");
}

BOOST_AUTO_TEST_CASE(appending_cuts_a_torn_last_line) {
  Folder folder;
  const std::filesystem::path file = folder / "rows.jsonl";
  const std::string whole = "{\"a\":1}\n{\"a\":2}\n";
  for (const std::string& torn : {std::string(), std::string("{"), std::string("{\"a\":3}"), std::string(10000, 'x')}) {
    write(file, whole + torn);
    {
      RowWriter writer(file, true);
      writer.write(Value::map({{"b", 4}}));
    }
    BOOST_TEST(content(file) == whole + "{\"b\":4}\n");
  }
  write(file, "no line feed at all");
  { RowWriter writer(file, true); }
  BOOST_TEST(content(file).empty());
}

BOOST_AUTO_TEST_CASE(opening_without_append_starts_anew) {
  Folder folder;
  write(folder / "rows.jsonl", "{\"a\":1}\n");
  { RowWriter writer(folder / "rows.jsonl"); }
  BOOST_TEST(content(folder / "rows.jsonl").empty());
}

BOOST_AUTO_TEST_CASE(a_full_device_is_an_error_even_when_only_the_destructor_writes) {
  const auto is_full = [](const Error& error) {
    const std::string text = error.what();
    return error.code() == ErrorCode::data && text.find("/dev/full: No space left on device") != std::string::npos &&
           text.find("8 bytes more were wanted") != std::string::npos && text.find("free there") != std::string::npos;
  };
  {
    RowWriter writer("/dev/full");
    writer.write(Value::map({{"a", 1}}));
    BOOST_CHECK_EXCEPTION(writer.flush(), Error, is_full);
  }
  BOOST_CHECK_EXCEPTION(
      {
        RowWriter writer("/dev/full");
        writer.write(Value::map({{"a", 1}}));
      },
      Error, is_full);
  // While another exception is on its way the destructor is silent: the first error is the one to show.
  try {
    RowWriter writer("/dev/full");
    writer.write(Value::map({{"a", 1}}));
    throw std::logic_error("first");
  } catch (const std::logic_error& error) {
    BOOST_TEST(std::string(error.what()) == "first");
  }
}

BOOST_AUTO_TEST_CASE(pairs_index_into_their_groups) {
  Folder folder;
  ResponseGroup first = group("p1");
  first.annotation = Preference{"a1", first.prompt, "good", "bad", std::nullopt, std::nullopt, std::nullopt};
  const ResponseGroup second = group("p2");
  {
    RowWriter responses(folder / "responses.jsonl");
    responses.write(to_value(first));
    responses.write(to_value(second));
    RowWriter pairs(folder / "pairs.jsonl");
    pairs.write(to_value(Pair{"p2", 1, 0, 0.75, 0.5, 0.25}, second));
    pairs.write(to_value(Pair{"p1", -1, -1, {}, {}, {}}, first));
    pairs.write(to_value(Pair{"p1", -1, 0, 2.0, 0.5, {}}, first));
  }
  BOOST_TEST(
      content(folder / "pairs.jsonl")
          .starts_with(
              R"({"prompt_id":"p2","prompt":[{"role":"user","content":"Name \"two\"\nfruits."}],)"
              R"("chosen":[{"role":"assistant","content":"pear"}],"rejected":[{"role":"assistant","content":"plum"}],)"
              R"("chosen_reward":0.75,"rejected_reward":0.5,"margin":0.25,"chosen_index":1,"rejected_index":0})"));
  const PairSet set = read_pairs(folder.path()).value();
  BOOST_REQUIRE(set.groups.size() == 2U);
  BOOST_REQUIRE(set.pairs.size() == 3U);
  BOOST_TEST(set.pairs[0].group == 1U);
  BOOST_TEST(set.pairs[0].chosen == 1);
  BOOST_TEST(set.pairs[0].rejected == 0);
  BOOST_TEST(set.pairs[0].margin == 0.25);
  BOOST_TEST(set.groups[0].responses.size() == 4U);  // two sampled, good, bad
  BOOST_TEST(set.groups[0].responses[static_cast<std::size_t>(set.pairs[1].chosen)].text == "good");
  BOOST_TEST(set.groups[0].responses[static_cast<std::size_t>(set.pairs[1].rejected)].text == "bad");
  BOOST_TEST(set.pairs[2].chosen == set.pairs[1].chosen);
  BOOST_TEST(std::isnan(set.pairs[1].margin));  // neither rewards nor a margin: not a gap of zero
  BOOST_TEST(set.pairs[2].margin == 1.5);       // from the rewards
}

BOOST_AUTO_TEST_CASE(pairs_outside_their_group_are_refused) {
  Folder folder;
  const ResponseGroup g = group("p1");
  BOOST_CHECK_THROW(to_value(Pair{"p1", 2, 0, {}, {}, {}}, g), Error);
  BOOST_CHECK_THROW(to_value(Pair{"p1", -1, 0, {}, {}, {}}, g), Error);  // no annotation
  Value row = to_value(Pair{"p1", 1, 0, {}, {}, {}}, g);
  { RowWriter(folder / "responses.jsonl").write(to_value(g)); }
  const auto error = [&](const Value& pair) {
    { RowWriter(folder / "pairs.jsonl").write(pair); }
    const auto set = read_pairs(folder.path());
    BOOST_REQUIRE(!set);
    return std::string(set.error().what());
  };
  row.set("rejected_index", 2);
  BOOST_TEST(error(row).find("`rejected_index` must be an index below 2") != std::string::npos);
  row.set("rejected_index", 0);
  row.set("prompt_id", "p9");
  BOOST_TEST(error(row).find("pairs.jsonl:1:1: prompt_id `p9` has no row in responses.jsonl") != std::string::npos);
}

// TRL's reward trainer makes one tensor of the column `margin`: it is there as numbers, or it is not there.
BOOST_AUTO_TEST_CASE(a_margin_that_is_none_is_not_written) {
  const Preference none{"a", {"p", {{"user", "Hi"}}, {}}, "yes", "no", {}, {}, std::nan("")};
  BOOST_TEST((to_value(none).find("margin") == nullptr));
}

BOOST_AUTO_TEST_CASE(preferences_become_groups_of_two) {
  Folder folder;
  {
    RowWriter writer(folder / "preferences.jsonl");
    writer.write(to_value(Preference{"a", {"p", {{"user", "Hi"}}, {}}, "yes", "no", 2.0, 0.5, std::nullopt}));
    writer.write(to_value(Preference{"b", {"p", {{"user", "Hi"}}, {}}, "yes", "never", {}, {}, {}}));
  }
  const PairSet set = read_pairs(folder.path()).value();
  BOOST_REQUIRE(set.groups.size() == 2U);
  BOOST_TEST(set.groups[1].responses[1].text == "never");
  BOOST_TEST(set.pairs[0].margin == 1.5);
  BOOST_TEST(std::isnan(set.pairs[1].margin));
  BOOST_TEST(set.pairs[1].group == 1U);
  BOOST_TEST(set.pairs[1].chosen == 0);
  BOOST_TEST(set.pairs[1].rejected == 1);
  BOOST_CHECK(!read_pairs(folder / "nowhere"));
}

BOOST_AUTO_TEST_SUITE_END()
}  // namespace plumb
