#include "plumb/value.h"

#include "plumb/error.h"

namespace plumb {
inline namespace v1 {
namespace {

[[noreturn]] void wrong_type(const Value& value, const char* wanted) {
  std::string message = std::string("found ") + value.type_name() + ", wanted " + wanted;
  if (value.mark.line > 0) {
    message += " (line " + std::to_string(value.mark.line) + ", column " + std::to_string(value.mark.column) + ")";
  }
  throw Error(ErrorCode::recipe, message);
}

}  // namespace

Value::Value(List v) : data_(std::move(v)) {}

Value Value::list(std::initializer_list<Value> items) {
  return List(items);
}

Value Value::map(std::initializer_list<std::pair<std::string, Value>> entries) {
  Value out;
  out.data_ = Map();
  for (const auto& [key, value] : entries) out.set(key, value);
  return out;
}

const char* Value::type_name() const noexcept {
  switch (type()) {
    case Type::null:
      return "null";
    case Type::boolean:
      return "boolean";
    case Type::integer:
      return "integer";
    case Type::real:
      return "real";
    case Type::string:
      return "string";
    case Type::list:
      return "list";
    case Type::map:
      return "map";
  }
  return "nothing";
}

bool Value::as_bool() const {
  if (const bool* v = std::get_if<bool>(&data_)) return *v;
  wrong_type(*this, "boolean");
}

std::int64_t Value::as_int() const {
  if (const auto* v = std::get_if<std::int64_t>(&data_)) return *v;
  wrong_type(*this, "integer");
}

double Value::as_double() const {
  if (const double* v = std::get_if<double>(&data_)) return *v;
  if (const auto* v = std::get_if<std::int64_t>(&data_)) return static_cast<double>(*v);
  wrong_type(*this, "number");
}

const std::string& Value::as_string() const {
  if (const auto* v = std::get_if<std::string>(&data_)) return *v;
  wrong_type(*this, "string");
}

const Value::List& Value::as_list() const {
  if (const List* v = std::get_if<List>(&data_)) return *v;
  wrong_type(*this, "list");
}

const Value::Map& Value::as_map() const {
  if (const Map* v = std::get_if<Map>(&data_)) return *v;
  wrong_type(*this, "map");
}

Value::List& Value::as_list() {
  return const_cast<List&>(std::as_const(*this).as_list());
}
Value::Map& Value::as_map() {
  return const_cast<Map&>(std::as_const(*this).as_map());
}

const Value* Value::find(std::string_view key) const {
  if (is_null()) return nullptr;
  for (const Entry& entry : as_map()) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

Value* Value::find(std::string_view key) {
  return const_cast<Value*>(std::as_const(*this).find(key));
}

const Value& Value::at(std::string_view key) const {
  if (const Value* value = find(key)) return *value;
  throw Error(ErrorCode::recipe, "key `" + std::string(key) + "` is missing");
}

Value& Value::set(std::string_view key, Value value) {
  if (is_null()) data_ = Map();
  if (Value* found = find(key)) return *found = std::move(value);
  Map& entries = as_map();
  entries.push_back({std::string(key), std::move(value)});
  return entries.back().value;
}

bool Value::operator==(const Value& other) const {
  return data_ == other.data_;
}

}  // namespace v1
}  // namespace plumb
