#include "plumb/json_fields.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "plumb/error.h"

namespace plumb {
inline namespace v1 {
namespace {

std::string quoted(std::string_view key) {
  return "key `" + std::string(key) + "`";
}

}  // namespace

std::string JsonFields::where(const Value& at) const {
  if (at.mark.line == 0) return origin_;
  return origin_ + ":" + std::to_string(at.mark.line) + ":" + std::to_string(at.mark.column);
}

void JsonFields::fail(const Value& at, const std::string& message) const {
  throw Error(ErrorCode::data, where(at) + ": " + message);
}

void JsonFields::wrong_type(const Value& value, std::string_view what, const char* wanted) const {
  fail(value, std::string(what) + " is of type " + value.type_name() + ", wanted " + wanted);
}

const Value* JsonFields::find(const Value& map, std::string_view key) const {
  if (!map.is_map()) wrong_type(map, "this value", "map");
  const Value* value = map.find(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

const Value& JsonFields::need(const Value& map, std::string_view key) const {
  if (const Value* value = find(map, key)) return *value;
  fail(map, quoted(key) + " is missing");
}

const std::string& JsonFields::text(const Value& map, std::string_view key) const {
  return as_text(need(map, key), quoted(key));
}

std::string JsonFields::text_or(const Value& map, std::string_view key, std::string otherwise) const {
  const Value* value = find(map, key);
  return value == nullptr ? std::move(otherwise) : as_text(*value, quoted(key));
}

std::int64_t JsonFields::integer(const Value& map, std::string_view key) const {
  return as_integer(need(map, key), quoted(key));
}

double JsonFields::number(const Value& map, std::string_view key) const {
  const Value& value = need(map, key);
  if (value.type() != Value::Type::integer && value.type() != Value::Type::real) {
    wrong_type(value, quoted(key), "number");
  }
  return value.as_double();
}

bool JsonFields::flag_or(const Value& map, std::string_view key, bool otherwise) const {
  const Value* value = find(map, key);
  if (value == nullptr) return otherwise;
  if (value->type() != Value::Type::boolean) wrong_type(*value, quoted(key), "boolean");
  return value->as_bool();
}

const Value::List& JsonFields::list(const Value& map, std::string_view key) const {
  return as_list(need(map, key), quoted(key));
}

const Value::Map& JsonFields::map(const Value& map, std::string_view key) const {
  return as_map(need(map, key), quoted(key));
}

const std::string& JsonFields::as_text(const Value& value, std::string_view what) const {
  if (!value.is_string()) wrong_type(value, what, "string");
  return value.as_string();
}

std::int64_t JsonFields::as_integer(const Value& value, std::string_view what) const {
  if (value.type() != Value::Type::integer) wrong_type(value, what, "integer");
  return value.as_int();
}

const Value::List& JsonFields::as_list(const Value& value, std::string_view what) const {
  if (!value.is_list()) wrong_type(value, what, "list");
  return value.as_list();
}

const Value::Map& JsonFields::as_map(const Value& value, std::string_view what) const {
  if (!value.is_map()) wrong_type(value, what, "map");
  return value.as_map();
}

std::string read_text_file(const std::string& path, std::uint64_t limit) {
  const auto fail = [&](const std::string& why) { return Error(ErrorCode::data, path + ": " + why); };
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) throw fail("there is no such file");
  if (!std::filesystem::is_regular_file(status)) throw fail("is not a regular file");
  const std::uint64_t size = std::filesystem::file_size(path, error);
  if (error) throw fail(error.message());
  if (size > limit) throw fail(std::to_string(size) + " bytes; at most " + std::to_string(limit) + " are read");
  std::string text(size, '\0');
  std::ifstream file(path, std::ios::binary);
  if (!file) throw fail(std::strerror(errno));
  if (!file.read(text.data(), static_cast<std::streamsize>(size))) {
    throw fail("ended after " + std::to_string(file.gcount()) + " of " + std::to_string(size) + " bytes");
  }
  return text;
}

Value read_json_file(const std::string& path, std::uint64_t limit) {
  return parse_json(read_text_file(path, limit), path);
}

}  // namespace v1
}  // namespace plumb
