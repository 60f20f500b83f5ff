// Parquet files for the tests, written by Arrow from rows of JSON: the types are made from the schema that is given.
//
//   auto schema = arrow::schema({arrow::field("prompt", arrow::utf8())});
//   std::string bytes = parquet_of(table_of(schema, {R"({"prompt": "a"})"}), {.row_group = 1});
//
// Thread contract: pure functions.
#pragma once

#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <parquet/arrow/writer.h>

#include <boost/test/unit_test.hpp>
#include <memory>
#include <string>
#include <vector>

#include "plumb/value.h"

namespace plumb::files::testing {

template <class T>
T good(arrow::Result<T> result) {
  BOOST_REQUIRE_MESSAGE(result.ok(), result.status().ToString());
  return std::move(result).ValueUnsafe();
}
inline void good(const arrow::Status& status) {
  BOOST_REQUIRE_MESSAGE(status.ok(), status.ToString());
}

// A value as the builder's type wants it; a key that a map lacks is null.
void append(arrow::ArrayBuilder& to, const Value& value);

std::shared_ptr<arrow::Table> table_of(const std::shared_ptr<arrow::Schema>& schema, const std::vector<Value>& rows);

struct Layout {
  arrow::Compression::type compression = arrow::Compression::SNAPPY;
  bool dictionary = true;
  std::int64_t row_group = 1 << 20, page = 1 << 20;
  parquet::ParquetDataPageVersion pages = parquet::ParquetDataPageVersion::V1;
  std::shared_ptr<parquet::FileEncryptionProperties> encryption;
};
std::string parquet_of(const arrow::Table& table, const Layout& layout = {});

}  // namespace plumb::files::testing
