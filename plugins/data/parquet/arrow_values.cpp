#include "arrow_values.h"

#include <arrow/api.h>
#include <arrow/extension_type.h>
#include <arrow/util/decimal.h>
#include <arrow/util/float16.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "plumb/error.h"
#include "plumb/utf8.h"

namespace plumb::files {
namespace {

constexpr int kDepthLimit = 64;  // as of JSON

Error problem(const std::string& what) {
  return {ErrorCode::data, what};
}

// --- types ---

bool is_text(arrow::Type::type id) {
  using arrow::Type;
  return id == Type::STRING || id == Type::LARGE_STRING || id == Type::STRING_VIEW || id == Type::BINARY ||
         id == Type::LARGE_BINARY || id == Type::BINARY_VIEW || id == Type::FIXED_SIZE_BINARY;
}

bool has_items(arrow::Type::type id) {
  using arrow::Type;
  return id == Type::LIST || id == Type::LARGE_LIST || id == Type::FIXED_SIZE_LIST;
}

bool is_plain(arrow::Type::type id) {
  using arrow::Type;
  return id == Type::NA || id == Type::BOOL || is_text(id) || arrow::is_integer(id) || arrow::is_floating(id) ||
         arrow::is_temporal(id) || id == Type::DURATION || id == Type::DECIMAL32 || id == Type::DECIMAL64 ||
         id == Type::DECIMAL128 || id == Type::DECIMAL256;
}

void check_type(const arrow::DataType& type, const std::string& name, int depth);

void check_fields(const arrow::FieldVector& fields, const std::string& parent, int depth) {
  std::set<std::string> names;
  for (const auto& field : fields) {
    const std::string name = parent.empty() ? field->name() : parent + "." + field->name();
    if (!is_utf8(name)) throw problem("a column's name is no UTF-8");
    if (!names.insert(name).second) throw problem("two columns are called `" + name + "`");
    check_type(*field->type(), name, depth + 1);
  }
}

void check_type(const arrow::DataType& type, const std::string& name, int depth) {
  if (depth > kDepthLimit) throw problem("column `" + name + "` is nested more than 64 levels deep");
  const arrow::Type::type id = type.id();
  if (id == arrow::Type::EXTENSION) {
    check_type(*static_cast<const arrow::ExtensionType&>(type).storage_type(), name, depth + 1);
  } else if (id == arrow::Type::DICTIONARY) {
    check_type(*static_cast<const arrow::DictionaryType&>(type).value_type(), name, depth + 1);
  } else if (has_items(id)) {
    check_type(*static_cast<const arrow::BaseListType&>(type).value_type(), name, depth + 1);
  } else if (id == arrow::Type::STRUCT) {
    check_fields(type.fields(), name, depth);
  } else if (id == arrow::Type::MAP) {
    const auto& map = static_cast<const arrow::MapType&>(type);
    check_type(*map.key_type(), name, depth + 1);
    check_type(*map.item_type(), name, depth + 1);
  } else if (!is_plain(id)) {
    throw problem("column `" + name + "` is of Arrow's type " + type.ToString() +
                  ", which is neither text, number, time, list nor struct");
  }
}

// --- values ---

template <class Array>
const Array& as(const arrow::Array& array) {
  return static_cast<const Array&>(array);
}

Value text(std::string_view bytes) {
  if (!is_utf8(bytes)) throw problem("malformed UTF-8");
  return bytes;
}

Value real(double number) {
  if (std::isnan(number)) return {};
  if (std::isinf(number)) throw problem("an infinite number");
  return number;
}

template <class Array>
Value decimal(const arrow::Array& array, std::int64_t index) {
  using Number = typename arrow::TypeTraits<typename Array::TypeClass>::CType;
  const auto& type = static_cast<const arrow::DecimalType&>(*array.type());
  return real(Number(as<Array>(array).GetValue(index)).ToDouble(type.scale()));
}

// As Arrow prints it: 2023-04-12 08:15:00.000000.
Value time_text(const arrow::Array& array, std::int64_t index) {
  const auto cell = array.GetScalar(index);
  if (!cell.ok()) throw problem(cell.status().message());
  return (*cell)->ToString();
}

Value items(const arrow::Array& values, std::int64_t begin, std::int64_t length) {
  if (begin < 0 || length < 0 || begin > values.length() - length) throw problem("a list that ends outside its column");
  Value::List out;
  out.reserve(static_cast<std::size_t>(length));
  for (std::int64_t i = begin; i < begin + length; ++i) out.push_back(value_at(values, i));
  return out;
}

template <class Array>
Value list(const arrow::Array& array, std::int64_t index) {
  const auto& lists = as<Array>(array);
  return items(*lists.values(), lists.value_offset(index), lists.value_length(index));
}

Value structure(const arrow::Array& array, std::int64_t index) {
  const auto& rows = as<arrow::StructArray>(array);
  Value out = Value::map();
  for (int i = 0; i < rows.num_fields(); ++i) {
    out.as_map().push_back({rows.struct_type()->field(i)->name(), value_at(*rows.field(i), index)});
  }
  return out;
}

Value map(const arrow::Array& array, std::int64_t index) {
  const auto& maps = as<arrow::MapArray>(array);
  const std::int64_t begin = maps.value_offset(index), length = maps.value_length(index);
  const Value keys = items(*maps.keys(), begin, length), values = items(*maps.items(), begin, length);
  const bool named = is_text(maps.keys()->type_id());
  Value out = named ? Value::map() : Value(Value::List());
  for (std::size_t i = 0; i < keys.as_list().size(); ++i) {
    const Value &key = keys.as_list()[i], &value = values.as_list()[i];
    if (!named) {
      out.as_list().push_back(Value::map({{"key", key}, {"value", value}}));
    } else if (!key.is_string() || out.find(key.as_string()) != nullptr) {
      throw problem(key.is_string() ? "key `" + key.as_string() + "` appears twice" : "a key that is null");
    } else {
      out.set(key.as_string(), value);
    }
  }
  return out;
}

Value integer(std::uint64_t number) {
  if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return static_cast<double>(number);
  return static_cast<std::int64_t>(number);
}

Value dictionary_value(const arrow::Array& array, std::int64_t index) {
  const auto& coded = as<arrow::DictionaryArray>(array);
  const std::int64_t code = coded.GetValueIndex(index);
  if (code < 0 || code >= coded.dictionary()->length()) throw problem("a code that its dictionary lacks");
  return value_at(*coded.dictionary(), code);
}

Value number(const arrow::Array& array, std::int64_t index) {
  using namespace arrow;  // NOLINT(google-build-using-namespace): the names below are all its
  switch (array.type_id()) {
    case Type::INT8:
      return std::int64_t{as<Int8Array>(array).Value(index)};
    case Type::INT16:
      return std::int64_t{as<Int16Array>(array).Value(index)};
    case Type::INT32:
      return std::int64_t{as<Int32Array>(array).Value(index)};
    case Type::INT64:
      return std::int64_t{as<Int64Array>(array).Value(index)};
    case Type::UINT8:
      return std::int64_t{as<UInt8Array>(array).Value(index)};
    case Type::UINT16:
      return std::int64_t{as<UInt16Array>(array).Value(index)};
    case Type::UINT32:
      return std::int64_t{as<UInt32Array>(array).Value(index)};
    case Type::UINT64:
      return integer(as<UInt64Array>(array).Value(index));
    case Type::HALF_FLOAT:
      return real(util::Float16::FromBits(as<HalfFloatArray>(array).Value(index)).ToDouble());
    case Type::FLOAT:
      return real(static_cast<double>(as<FloatArray>(array).Value(index)));
    case Type::DOUBLE:
      return real(as<DoubleArray>(array).Value(index));
    case Type::DECIMAL32:
      return decimal<Decimal32Array>(array, index);
    case Type::DECIMAL64:
      return decimal<Decimal64Array>(array, index);
    case Type::DECIMAL128:
      return decimal<Decimal128Array>(array, index);
    case Type::DECIMAL256:
      return decimal<Decimal256Array>(array, index);
    default:
      return time_text(array, index);
  }
}

}  // namespace

void check_schema(const arrow::Schema& schema) {
  check_fields(schema.fields(), "", 0);
}

Value value_at(const arrow::Array& array, std::int64_t index) {
  using namespace arrow;  // NOLINT(google-build-using-namespace): as above
  if (array.IsNull(index)) return {};
  switch (array.type_id()) {
    case Type::NA:
      return {};
    case Type::BOOL:
      return as<BooleanArray>(array).Value(index);
    case Type::STRING:
      return text(as<StringArray>(array).GetView(index));
    case Type::LARGE_STRING:
      return text(as<LargeStringArray>(array).GetView(index));
    case Type::STRING_VIEW:
      return text(as<StringViewArray>(array).GetView(index));
    case Type::BINARY:
      return text(as<BinaryArray>(array).GetView(index));
    case Type::LARGE_BINARY:
      return text(as<LargeBinaryArray>(array).GetView(index));
    case Type::BINARY_VIEW:
      return text(as<BinaryViewArray>(array).GetView(index));
    case Type::FIXED_SIZE_BINARY:
      return text(as<FixedSizeBinaryArray>(array).GetView(index));
    case Type::LIST:
      return list<ListArray>(array, index);
    case Type::LARGE_LIST:
      return list<LargeListArray>(array, index);
    case Type::FIXED_SIZE_LIST:
      return list<FixedSizeListArray>(array, index);
    case Type::STRUCT:
      return structure(array, index);
    case Type::MAP:
      return map(array, index);
    case Type::DICTIONARY:
      return dictionary_value(array, index);
    case Type::EXTENSION:
      return value_at(*as<ExtensionArray>(array).storage(), index);
    default:
      return number(array, index);
  }
}

}  // namespace plumb::files
