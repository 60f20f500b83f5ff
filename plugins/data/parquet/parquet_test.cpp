// Rows written as Parquet by Arrow, against the same rows given as JSON lines to the plugin for JSON.
#include <dlfcn.h>

#include <map>

#include "test_source.h"
#include "write_parquet.h"

using namespace plumb;
using namespace plumb::files::testing;

namespace {

// The other plugin, loaded as what it is.
std::unique_ptr<DataSource> json_source(const std::string& name, const Value& params) {
  struct Loaded {
    Registrar registrar;
    plumb::testing::FakeHost host;
    Loaded() {
      void* library = dlopen(PLUMB_DATA_FILES, RTLD_NOW | RTLD_LOCAL);
      BOOST_REQUIRE_MESSAGE(library != nullptr, dlerror());
      const auto entry = reinterpret_cast<decltype(&plumb_plugin_entry_v1)>(dlsym(library, plumb::abi::kEntrySymbol));
      char error[512] = {};
      BOOST_REQUIRE_MESSAGE(entry()->open(&registrar, error, sizeof error) == 0, error);
    }
  };
  static Loaded plugin;
  for (const auto& entry : plugin.registrar.entries()) {
    if (entry->info.name != name) continue;
    return std::unique_ptr<DataSource>(static_cast<DataSource*>(entry->make(params, plugin.host, nullptr).release()));
  }
  BOOST_FAIL("data-files has no " << name);
  return nullptr;
}

std::vector<Value> parsed(const std::string& lines) {
  std::vector<Value> rows;
  std::size_t begin = 0;
  for (std::size_t end; (end = lines.find('\n', begin)) != std::string::npos; begin = end + 1) {
    rows.push_back(parse_json(std::string_view(lines).substr(begin, end - begin)));
  }
  return rows;
}

Value plain(const Conversation& messages) {
  Value out = Value::List();
  for (const Message& message : messages) out.as_list().push_back(Value::list({message.role, message.content}));
  return out;
}

std::string line_of(const Record& record) {
  const auto number = [](const std::optional<double>& given) { return given ? Value(*given) : Value(); };
  if (const auto* prompt = std::get_if<Prompt>(&record)) {
    return to_json(Value::list({prompt->id, plain(prompt->messages), prompt->extra}));
  }
  if (const auto* shown = std::get_if<Demonstration>(&record)) {
    return to_json(Value::list({shown->id, plain(shown->messages), shown->extra}));
  }
  const auto& pair = std::get<Preference>(record);
  return to_json(
      Value::list({pair.id, pair.prompt.id, plain(pair.prompt.messages), pair.prompt.extra, pair.chosen, pair.rejected,
                   number(pair.chosen_reward), number(pair.rejected_reward), number(pair.margin)}));
}

struct Records {
  std::vector<std::string> rows;
  std::map<std::string, std::size_t> skipped;
};

Records records_of(DataSource& from) {
  Records out;
  while (const std::optional<Record> record = from.next()) out.rows.push_back(line_of(*record));
  out.skipped = from.skipped();
  return out;
}

const std::vector<Layout>& layouts() {
  using arrow::Compression;
  static const std::vector<Layout> all{
      {.compression = Compression::SNAPPY},
      {.compression = Compression::ZSTD, .dictionary = false, .row_group = 2, .page = 1},
      {.compression = Compression::UNCOMPRESSED, .row_group = 1, .pages = parquet::ParquetDataPageVersion::V2},
      {.compression = Compression::GZIP, .dictionary = false, .pages = parquet::ParquetDataPageVersion::V2},
  };
  return all;
}

// The same rows as JSON and, in every layout, as Parquet make the same records and are left out for the same reasons.
// Returns how many records there are.
std::size_t same(const std::string& json_name, const std::string& parquet_name, const arrow::FieldVector& columns,
                 const std::string& lines, Value params = Value::map()) {
  const File json(lines);
  params.set("malformed", "skip");
  params.set("path", json.path());
  const Records wanted = records_of(*json_source(json_name, params));
  for (const Layout& layout : layouts()) {
    const File file(parquet_of(*table_of(arrow::schema(columns), parsed(lines)), layout), "rows.parquet");
    plumb::testing::PluginUnderTest plugin;
    params.set("path", file.path());
    const Records found = records_of(*plugin.make<DataSource>(parquet_name, params));
    BOOST_TEST(found.rows == wanted.rows, boost::test_tools::per_element());
    BOOST_TEST((found.skipped == wanted.skipped));
  }
  return wanted.rows.size();
}

std::shared_ptr<arrow::DataType> conversation(const char* role, const char* content) {
  return arrow::list(arrow::struct_({arrow::field(role, arrow::utf8()), arrow::field(content, arrow::utf8())}));
}

std::string chats(int count) {
  std::string lines;
  for (int i = 0; i < count; ++i) {
    const std::string n = std::to_string(i);
    lines += R"({"id": )" + n + R"(, "messages": [{"role": "user", "content": "Zähle bis )" + n +
             R"( 🍎"}, {"role": "assistant", "content": "eins\nzwei )" + n + "\"}], \"score\": " + n + ".5}\n";
  }
  return lines;
}

arrow::FieldVector chat_columns() {
  return {arrow::field("id", arrow::int64()), arrow::field("messages", conversation("role", "content")),
          arrow::field("score", arrow::float64())};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(parquet_schemas)

BOOST_AUTO_TEST_CASE(conversations_with_further_columns) {
  arrow::FieldVector columns = chat_columns();
  columns.push_back(arrow::field("tags", arrow::large_list(arrow::large_utf8())));
  columns.push_back(arrow::field(
      "meta", arrow::struct_({arrow::field("level", arrow::int32()), arrow::field("easy", arrow::boolean()),
                              arrow::field("of", arrow::list(arrow::float32()))})));
  columns.push_back(arrow::field("counts", arrow::map(arrow::utf8(), arrow::int64())));
  const std::string rows =
      R"({"id": 7, "messages": [{"role": "system", "content": ""}, {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "score": -0.125, "tags": ["x", null, "y"], "meta": {"level": -3, "easy": true, "of": [0.5, 2.25]}, "counts": {"k": 1, "l": 2}}
{"id": null, "messages": [{"role": "human", "content": "c"}, {"role": "gpt", "content": "d"}], "score": null, "tags": null, "meta": null, "counts": null}
{"id": 9, "messages": [], "score": 1e300, "tags": [], "meta": {"level": null, "easy": null, "of": []}, "counts": {}}
{"id": 10, "messages": null, "score": 0.0, "tags": [], "meta": null, "counts": {}}
{"id": 11, "messages": [{"role": "user", "content": null}], "score": 0.0, "tags": [], "meta": null, "counts": {}}
{"id": 12, "messages": [{"role": "user", "content": "e"}, {"role": "assistant", "content": " \n"}], "score": 0.0, "tags": [], "meta": null, "counts": {}}
)";
  BOOST_TEST(same("jsonl", "parquet", columns, rows, Value::map({{"records", "demonstrations"}})) == 2U);
  BOOST_TEST(same("jsonl", "parquet", chat_columns(), chats(1500), Value::map({{"records", "demonstrations"}})) ==
             1500U);
}

BOOST_AUTO_TEST_CASE(preferences_with_coded_and_missing_texts) {
  const arrow::FieldVector columns{
      arrow::field("prompt", arrow::dictionary(arrow::int32(), arrow::utf8())),
      arrow::field("chosen", arrow::large_utf8()), arrow::field("rejected", arrow::binary()),
      arrow::field("chosen_reward", arrow::float64()), arrow::field("margin", arrow::int32())};
  const std::string rows = R"({"prompt": "q", "chosen": "a", "rejected": "b", "chosen_reward": 1.5, "margin": 2}
{"prompt": "q", "chosen": "a", "rejected": "b", "chosen_reward": null, "margin": null}
{"prompt": "r", "chosen": "ä", "rejected": "ä ", "chosen_reward": 0.5, "margin": 0}
{"prompt": null, "chosen": "a", "rejected": "b", "chosen_reward": 0.5, "margin": 0}
{"prompt": "q", "chosen": null, "rejected": "b", "chosen_reward": 0.5, "margin": 0}
{"prompt": "r", "chosen": "a", "rejected": "", "chosen_reward": 0.5, "margin": 0}
{"prompt": "r", "chosen": "a", "rejected": "c", "chosen_reward": 0.5, "margin": 0}
)";
  BOOST_TEST(same("jsonl", "parquet", columns, rows, Value::map({{"records", "preferences"}})) == 2U);
}

BOOST_AUTO_TEST_CASE(dialogues_of_hh) {
  const arrow::FieldVector columns{arrow::field("chosen", arrow::utf8()), arrow::field("rejected", arrow::utf8())};
  const std::string rows =
      R"({"chosen": "\n\nHuman: hi\n\nAssistant: hello\n\nHuman: more \n\nAssistant: good", "rejected": "\n\nHuman: hi\n\nAssistant: hello\n\nHuman: more \n\nAssistant: bad"}
{"chosen": "\n\nHuman: hi\n\nAssistant: a", "rejected": "\n\nHuman: ho\n\nAssistant: z"}
{"chosen": "Human: hi\n\nAssistant: a", "rejected": "\n\nHuman: hi\n\nAssistant: z"}
)";
  BOOST_TEST(same("hh-rlhf", "parquet-hh-rlhf", columns, rows) == 1U);
}

BOOST_AUTO_TEST_CASE(messages_of_oasst) {
  const auto text = [](const char* name) { return arrow::field(name, arrow::utf8()); };
  const arrow::FieldVector columns{text("message_id"),
                                   text("parent_id"),
                                   text("text"),
                                   text("role"),
                                   text("lang"),
                                   arrow::field("rank", arrow::int32()),
                                   arrow::field("deleted", arrow::boolean())};
  const std::string rows =
      R"({"message_id": "a", "parent_id": "r", "text": "A", "role": "assistant", "lang": "en", "rank": 1, "deleted": false}
{"message_id": "r", "parent_id": null, "text": "Q", "role": "prompter", "lang": "en", "rank": null, "deleted": false}
{"message_id": "b", "parent_id": "r", "text": "B", "role": "assistant", "lang": "en", "rank": 0, "deleted": null}
{"message_id": "c", "parent_id": "r", "text": "C", "role": "assistant", "lang": "en", "rank": 2, "deleted": true}
{"message_id": "d", "parent_id": "nowhere", "text": "D", "role": "assistant", "lang": "en", "rank": 0, "deleted": false}
)";
  BOOST_TEST(same("oasst", "parquet-oasst", columns, rows) == 1U);
  BOOST_TEST(same("oasst", "parquet-oasst", columns, rows, Value::map({{"records", "preferences"}})) == 1U);
}

BOOST_AUTO_TEST_CASE(comparisons_of_webgpt) {
  const auto text = [](const char* name) { return arrow::field(name, arrow::utf8()); };
  const auto quotes = arrow::struct_({arrow::field("title", arrow::list(arrow::utf8()))});
  const arrow::FieldVector columns{
      arrow::field("question", arrow::struct_({text("dataset"), text("id"), text("full_text")})),
      arrow::field("quotes_0", quotes),
      text("answer_0"),
      text("answer_1"),
      arrow::field("score_0", arrow::float64()),
      arrow::field("score_1", arrow::float64())};
  const std::string rows =
      R"({"question": {"dataset": "eli5", "id": "q1", "full_text": "Why?"}, "quotes_0": {"title": ["t"]}, "answer_0": "No.", "answer_1": "Because [1, 2].", "score_0": -0.5, "score_1": 0.5}
{"question": {"dataset": "eli5", "id": "q1", "full_text": "Why?"}, "quotes_0": null, "answer_0": "x", "answer_1": "y", "score_0": 0.0, "score_1": 0.0}
{"question": {"dataset": "eli5", "id": "q2", "full_text": "How?"}, "quotes_0": null, "answer_0": "x", "answer_1": "y", "score_0": 1.0, "score_1": 0.5}
)";
  BOOST_TEST(same("webgpt", "parquet-webgpt", columns, rows) == 1U);
}

BOOST_AUTO_TEST_CASE(instructions_and_conversations) {
  const auto text = [](const char* name) { return arrow::field(name, arrow::utf8()); };
  BOOST_TEST(
      same(
          "alpaca", "parquet-alpaca",
          {text("instruction"), text("input"), text("output"), text("system"),
           arrow::field("history", arrow::list(arrow::list(arrow::utf8())))},
          R"({"instruction": "Sum.", "input": "1 2", "output": "3", "system": "Be brief.", "history": [["hi", "yo"], ["a", "b"]]}
{"instruction": "Say hi.", "input": "", "output": "hi", "system": null, "history": null}
{"instruction": "Say ho.", "input": null, "output": "ho", "system": null, "history": [["only one"]]}
)") == 2U);
  BOOST_TEST(same("sharegpt", "parquet-sharegpt", {arrow::field("conversations", conversation("from", "value"))},
                  R"({"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}
{"conversations": [{"from": "gpt", "value": "b"}]}
)") == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
