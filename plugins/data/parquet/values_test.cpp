// Cells of every type that Parquet files have, against what they are in JSON; and files that are not what they should
// be, which are refused with their name and the row.
#include <arrow/json/from_string.h>
#include <parquet/encryption/encryption.h>

#include <array>
#include <cmath>
#include <concepts>

#include "arrow_values.h"
#include "test_source.h"
#include "write_parquet.h"

using namespace plumb;
using namespace plumb::files;
using namespace plumb::files::testing;

namespace {

void has(const std::string& message, const std::string& part) {
  BOOST_TEST(message.find(part) != std::string::npos, message);
}

std::shared_ptr<arrow::Array> cells(const std::shared_ptr<arrow::DataType>& type, const std::string& json) {
  return good(arrow::json::ArrayFromJSONString(type, json));
}

// All cells of the array, written as JSON.
std::string read(const arrow::Array& array) {
  Value out = Value::List();
  for (std::int64_t i = 0; i < array.length(); ++i) out.as_list().push_back(value_at(array, i));
  return to_json(out);
}

std::string read(const std::shared_ptr<arrow::DataType>& type, const std::string& json) {
  return read(*cells(type, json));
}

using Encryption = parquet::FileEncryptionProperties;

// Of the type that this version of Arrow wants.
struct Key {
  template <class T>
  requires(!std::same_as<T, Encryption::Builder> && std::constructible_from<T, std::string>) operator T()
      const {  // NOLINT(google-explicit-constructor): it stands for its bytes
    return T(std::string(16, 'k'));
  }
};

template <class F>
std::string complaint(F&& act) {
  try {
    act();
  } catch (const Error& error) {
    BOOST_TEST(static_cast<int>(error.code()) == static_cast<int>(ErrorCode::data));
    return error.what();
  }
  return "nothing was thrown";
}

std::string of_texts(const std::vector<std::string>& texts, const Layout& layout = {}) {
  std::vector<Value> rows;
  for (const std::string& text : texts) rows.push_back(Value::map({{"text", text}, {"id", "i" + text}}));
  const auto schema = arrow::schema({arrow::field("text", arrow::binary()), arrow::field("id", arrow::utf8())});
  return parquet_of(*table_of(schema, rows), layout);
}

std::string refused(const std::string& bytes, const std::string& name = "rows.parquet") {
  const File file(bytes, name);
  return complaint([&] { all<Demonstration>(*source("parquet", file.path(), {{"records", "texts"}})); });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(arrow_values)

BOOST_AUTO_TEST_CASE(numbers_and_texts) {
  for (const auto& type : {arrow::int8(), arrow::int16(), arrow::int32(), arrow::int64()}) {
    BOOST_TEST(read(type, "[-7, null, 100]") == "[-7,null,100]", type->ToString());
  }
  for (const auto& type : {arrow::uint8(), arrow::uint16(), arrow::uint32(), arrow::uint64()}) {
    BOOST_TEST(read(type, "[7, null, 200]") == "[7,null,200]", type->ToString());
  }
  BOOST_TEST(read(arrow::uint64(), "[9223372036854775807, 18446744073709551615]") ==
             to_json(Value::list({std::int64_t{9223372036854775807}, 18446744073709551615.0})));
  for (const auto& type : {arrow::float16(), arrow::float32(), arrow::float64()}) {
    BOOST_TEST(read(type, "[0.5, null, -1.25]") == to_json(Value::list({0.5, Value(), -1.25})), type->ToString());
  }
  BOOST_TEST(read(arrow::decimal128(6, 2), R"(["12.50", "-0.25"])") == "[12.5,-0.25]");
  BOOST_TEST(read(arrow::decimal256(50, 1), R"(["2.5", null])") == "[2.5,null]");
  BOOST_TEST(read(arrow::boolean(), "[true, null, false]") == "[true,null,false]");
  for (const auto& type : {arrow::utf8(), arrow::large_utf8(), arrow::utf8_view(), arrow::binary(),
                           arrow::large_binary(), arrow::dictionary(arrow::int8(), arrow::utf8())}) {
    BOOST_TEST(read(type, R"(["ü", null, "", "ü"])") == R"(["ü",null,"","ü"])", type->ToString());
  }
  BOOST_TEST(read(arrow::fixed_size_binary(2), R"(["ab", null])") == R"(["ab",null])");
  BOOST_TEST(read(arrow::null(), "[null, null]") == "[null,null]");
}

BOOST_AUTO_TEST_CASE(what_json_has_no_word_for) {
  arrow::DoubleBuilder builder;
  good(builder.AppendValues({std::nan(""), 1.0, HUGE_VAL}));
  const auto numbers = good(builder.Finish());
  BOOST_TEST(value_at(*numbers, 0).is_null());
  BOOST_TEST(value_at(*numbers, 1).as_double() == 1.0);
  BOOST_TEST(complaint([&] { value_at(*numbers, 2); }) == "an infinite number");
  arrow::BinaryBuilder bytes;
  good(bytes.Append("a\xff"));
  const auto text = good(bytes.Finish());
  BOOST_TEST(complaint([&] { value_at(*text, 0); }) == "malformed UTF-8");
}

BOOST_AUTO_TEST_CASE(times_are_texts) {
  BOOST_TEST(read(arrow::date32(), "[19459]") == R"(["2023-04-12"])");
  BOOST_TEST(read(arrow::timestamp(arrow::TimeUnit::MILLI), R"(["2023-04-12 08:15:00.250", null])") ==
             R"(["2023-04-12 08:15:00.250",null])");
  BOOST_TEST(read(arrow::timestamp(arrow::TimeUnit::SECOND, "UTC"), R"(["2023-04-12 08:15:00Z"])") ==
             R"(["2023-04-12 08:15:00Z"])");
  BOOST_TEST(read(arrow::time32(arrow::TimeUnit::SECOND), "[29700]") == R"(["08:15:00"])");
}

BOOST_AUTO_TEST_CASE(nested_values) {
  const auto pair = arrow::struct_({arrow::field("a", arrow::int32()), arrow::field("b", arrow::list(arrow::utf8()))});
  const char* const structs = R"([{"a":1,"b":["x",null]},null,{"a":null,"b":[]}])";
  BOOST_TEST(read(pair, structs) == structs);
  BOOST_TEST(read(*cells(pair, structs)->Slice(2)) == R"([{"a":null,"b":[]}])");
  const char* const lists = R"([[[1],null,[2,3]],null,[]])";
  for (const auto& type :
       {arrow::list(arrow::list(arrow::int64())), arrow::large_list(arrow::large_list(arrow::int64()))}) {
    BOOST_TEST(read(type, lists) == lists);
    BOOST_TEST(read(*cells(type, lists)->Slice(1)) == "[null,[]]");
  }
  BOOST_TEST(read(arrow::fixed_size_list(arrow::int32(), 2), "[[1,2],null,[3,4]]") == "[[1,2],null,[3,4]]");
  BOOST_TEST(read(*cells(arrow::fixed_size_list(arrow::int32(), 2), "[[1,2],null,[3,4]]")->Slice(2)) == "[[3,4]]");
  BOOST_TEST(read(arrow::map(arrow::utf8(), arrow::int32()), R"([[["k", 1], ["l", null]], null])") ==
             R"([{"k":1,"l":null},null])");
  BOOST_TEST(read(arrow::map(arrow::int32(), arrow::utf8()), R"([[[5, "x"]]])") == R"([[{"key":5,"value":"x"}]])");
  const auto twice = cells(arrow::map(arrow::utf8(), arrow::int32()), R"([[["k", 1], ["k", 2]]])");
  BOOST_TEST(complaint([&] { value_at(*twice, 0); }) == "key `k` appears twice");
}

BOOST_AUTO_TEST_CASE(schemas_without_a_plain_form) {
  const auto said = [](const arrow::FieldVector& fields) {
    return complaint([&] { check_schema(*arrow::schema(fields)); });
  };
  BOOST_TEST(said({arrow::field("a", arrow::utf8()), arrow::field("b", arrow::int8())}) == "nothing was thrown");
  BOOST_TEST(said({arrow::field("a", arrow::utf8()), arrow::field("a", arrow::int8())}) ==
             "two columns are called `a`");
  const auto inner = arrow::struct_({arrow::field("x", arrow::utf8()), arrow::field("x", arrow::utf8())});
  BOOST_TEST(said({arrow::field("m", arrow::list(inner))}) == "two columns are called `m.x`");
  has(said({arrow::field("u", arrow::dense_union({arrow::field("x", arrow::utf8())}))}),
      "column `u` is of Arrow's type");
  std::shared_ptr<arrow::DataType> deep = arrow::int8();
  for (int i = 0; i < 70; ++i) deep = arrow::list(deep);
  BOOST_TEST(said({arrow::field("d", deep)}) == "column `d` is nested more than 64 levels deep");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(parquet_files)

BOOST_AUTO_TEST_CASE(a_folder_is_read_by_name_and_split) {
  const File files(of_texts({"c", "d"}), "train-00001-of-00002.parquet");
  const auto add = [&](const std::string& name, const std::string& bytes) {
    std::ofstream(files.path(name), std::ios::binary) << bytes;
  };
  add("train-00000-of-00002.parquet", of_texts({"a", "b"}));
  add("test-00000-of-00001.parquet", of_texts({"e"}));
  add("README.md", "not data");
  const auto texts = [&](const Value& shards) {
    std::string out;
    const auto from = source("parquet", files.folder(), {{"records", "texts"}, {"shards", shards}});
    for (const Demonstration& row : all<Demonstration>(*from)) out += row.messages[0].content;
    return out;
  };
  BOOST_TEST(texts("*") == "eabcd");
  BOOST_TEST(texts("train-*") == "abcd");
  BOOST_TEST(texts("test-*.parquet") == "e");
  has(complaint([&] { texts("dev-*"); }),
      "holds no file `dev-*.parquet`, but others such as " + files.folder() + "/test-");
}

BOOST_AUTO_TEST_CASE(errors_name_the_row_of_the_file) {
  std::vector<std::string> texts(600, "x");
  texts[555] = "\xc3\x28";
  for (std::size_t i = 0; i < texts.size(); ++i) texts[i] += std::to_string(i);
  has(refused(of_texts(texts, {.row_group = 100})), "rows.parquet: row 556: column `text` holds malformed UTF-8");
  const File file(of_texts(texts, {.row_group = 100}), "rows.parquet");
  const auto skipping = source("parquet", file.path(), {{"records", "texts"}, {"malformed", "skip"}});
  BOOST_TEST(all<Demonstration>(*skipping).size() == 599U);
  BOOST_TEST(skipped(*skipping, "malformed") == 1U);
  const auto preferences = source("parquet", file.path(), {{"records", "preferences"}});
  has(refusal(*preferences), "rows.parquet: row 1: key `chosen` is missing");
  const auto schema = arrow::schema({arrow::field("text", arrow::int32())});
  has(refused(parquet_of(*table_of(schema, {Value::map({{"text", 3}})}))),
      "rows.parquet: row 1: key `text` is of type integer, wanted string");
}

BOOST_AUTO_TEST_CASE(other_files_are_told_apart) {
  has(refused("{\"text\": \"a line of JSON\"}\n"), "rows.parquet: is no Parquet file");
  has(refused(""), "rows.parquet: is no Parquet file");
  has(refused("PAR1"), "rows.parquet: ");
  has(refused(of_texts({"a"}).substr(0, 100)), "the Parquet file ends early");
  has(complaint([] { source("parquet", "/not/there.parquet", {{"records", "texts"}}); }), "there is no such file");
  BOOST_TEST(refused(of_texts({})) == "nothing was thrown");  // no rows are no error of the file
}

BOOST_AUTO_TEST_CASE(encrypted_files_are_refused) {
  Encryption::Builder all_of_it{Key()}, columns{Key()};
  columns.set_plaintext_footer();
  has(refused(of_texts({"a"}, {.encryption = all_of_it.build()})), "rows.parquet: the Parquet file is encrypted");
  has(refused(of_texts({"a"}, {.encryption = columns.build()})),
      "rows.parquet: the Parquet file has encrypted columns");
}

// What is cut off or changed is refused, or it is rows: a checksum is not in every file.
BOOST_AUTO_TEST_CASE(every_cut_is_refused) {
  const std::string whole = of_texts({"one", "two", "three", "four"}, {.row_group = 2});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string said = refused(whole.substr(0, size));
    BOOST_REQUIRE_MESSAGE(said.find("rows.parquet: ") != std::string::npos, size << " bytes: " << said);
  }
}

BOOST_AUTO_TEST_CASE(a_cut_in_the_middle_is_refused) {
  const std::string whole = of_texts({"one", "two", "three", "four"}, {.row_group = 2});
  for (std::size_t begin = 4; begin + 8 < whole.size(); begin += 3) {  // ends as a Parquet file does
    const std::string said = refused(whole.substr(0, begin) + whole.substr(begin + 3));
    BOOST_REQUIRE_MESSAGE(said.find("rows.parquet: ") != std::string::npos || said == "nothing was thrown", said);
  }
}

BOOST_AUTO_TEST_CASE(changed_bytes_do_no_harm) {
  std::size_t refusals = 0, count = 0;
  for (const Layout& layout : {Layout{.compression = arrow::Compression::UNCOMPRESSED, .row_group = 2},
                               Layout{.compression = arrow::Compression::ZSTD, .dictionary = false},
                               Layout{.pages = parquet::ParquetDataPageVersion::V2}}) {
    const std::string whole = of_texts({"one", "two", "three", "four"}, layout);
    for (std::size_t at = 0; at < whole.size(); ++at, ++count) {
      std::string changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ std::array{0x01, 0x80, 0xff}[at % 3]);
      const std::string said = refused(changed);
      const bool named = said.find("rows.parquet: ") != std::string::npos;
      BOOST_REQUIRE_MESSAGE(named || said == "nothing was thrown", "byte " << at << ": " << said);
      refusals += named ? 1 : 0;
    }
  }
  BOOST_TEST(refusals > count / 4);
}

BOOST_AUTO_TEST_SUITE_END()
