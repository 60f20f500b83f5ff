#include "write_parquet.h"

namespace plumb::files::testing {
namespace {

template <class Builder>
Builder& as(arrow::ArrayBuilder& builder) {
  return static_cast<Builder&>(builder);
}

void append_list(arrow::ArrayBuilder& values, const Value& value) {
  for (const Value& item : value.as_list()) append(values, item);
}

void append_struct(arrow::StructBuilder& to, const Value& value) {
  good(to.Append());
  for (int i = 0; i < to.num_fields(); ++i) {
    const Value* field = value.find(to.type()->field(i)->name());
    append(*to.field_builder(i), field == nullptr ? Value() : *field);
  }
}

void append_map(arrow::MapBuilder& to, const Value& value) {
  good(to.Append());
  for (const auto& [key, item] : value.as_map()) {
    append(*to.key_builder(), key);
    append(*to.item_builder(), item);
  }
}

}  // namespace

void append(arrow::ArrayBuilder& to, const Value& value) {
  using arrow::Type;
  if (value.is_null()) return good(to.AppendNull());
  switch (to.type()->id()) {
    case Type::BOOL:
      return good(as<arrow::BooleanBuilder>(to).Append(value.as_bool()));
    case Type::INT32:
      return good(as<arrow::Int32Builder>(to).Append(static_cast<std::int32_t>(value.as_int())));
    case Type::INT64:
      return good(as<arrow::Int64Builder>(to).Append(value.as_int()));
    case Type::FLOAT:
      return good(as<arrow::FloatBuilder>(to).Append(static_cast<float>(value.as_double())));
    case Type::DOUBLE:
      return good(as<arrow::DoubleBuilder>(to).Append(value.as_double()));
    case Type::STRING:
      return good(as<arrow::StringBuilder>(to).Append(value.as_string()));
    case Type::LARGE_STRING:
      return good(as<arrow::LargeStringBuilder>(to).Append(value.as_string()));
    case Type::BINARY:
      return good(as<arrow::BinaryBuilder>(to).Append(value.as_string()));
    case Type::DICTIONARY:
      return good(as<arrow::StringDictionary32Builder>(to).Append(value.as_string()));
    case Type::LIST:
      good(as<arrow::ListBuilder>(to).Append());
      return append_list(*as<arrow::ListBuilder>(to).value_builder(), value);
    case Type::LARGE_LIST:
      good(as<arrow::LargeListBuilder>(to).Append());
      return append_list(*as<arrow::LargeListBuilder>(to).value_builder(), value);
    case Type::STRUCT:
      return append_struct(as<arrow::StructBuilder>(to), value);
    case Type::MAP:
      return append_map(as<arrow::MapBuilder>(to), value);
    default:
      BOOST_FAIL("the test writes no " + to.type()->ToString());
  }
}

std::shared_ptr<arrow::Table> table_of(const std::shared_ptr<arrow::Schema>& schema, const std::vector<Value>& rows) {
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (const auto& field : schema->fields()) {
    std::unique_ptr<arrow::ArrayBuilder> builder;
    if (field->type()->id() == arrow::Type::DICTIONARY) {
      builder = std::make_unique<arrow::StringDictionary32Builder>(arrow::utf8());
    } else {
      builder = good(arrow::MakeBuilder(field->type()));
    }
    for (const Value& row : rows) {
      const Value* cell = row.find(field->name());
      append(*builder, cell == nullptr ? Value() : *cell);
    }
    columns.push_back(good(builder->Finish()));
  }
  return arrow::Table::Make(schema, columns, static_cast<std::int64_t>(rows.size()));
}

std::string parquet_of(const arrow::Table& table, const Layout& layout) {
  parquet::WriterProperties::Builder how;
  how.compression(layout.compression)->data_page_version(layout.pages)->data_pagesize(layout.page);
  layout.dictionary ? how.enable_dictionary() : how.disable_dictionary();
  if (layout.encryption != nullptr) how.encryption(layout.encryption);
  const auto sink = good(arrow::io::BufferOutputStream::Create());
  const auto keep = parquet::ArrowWriterProperties::Builder().store_schema()->build();
  good(parquet::arrow::WriteTable(table, arrow::default_memory_pool(), sink, layout.row_group, how.build(), keep));
  return good(sink->Finish())->ToString();
}

}  // namespace plumb::files::testing
