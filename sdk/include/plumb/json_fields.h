// Reading JSON that other programs wrote: accessors whose errors are Error(data) with file:line:column, the key, what
// was found and what was wanted.
//
//   const plumb::JsonFields json("config.json");
//   const plumb::Value root = plumb::read_json_file("config.json");
//   std::int64_t size = json.integer(root, "vocab_size");
//   if (const plumb::Value* at = json.find(root, "scale")) scale = at->as_double();  // absent or null: no value
//   json.fail(root, "wants hidden_size to be a multiple of num_heads");
//
// Thread contract: const methods and the functions are [any].
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "plumb/value.h"

namespace plumb {
inline namespace v1 {

class JsonFields {
 public:
  explicit JsonFields(std::string origin) : origin_(std::move(origin)) {}

  [[noreturn]] void fail(const Value& at, const std::string& message) const;
  [[nodiscard]] std::string where(const Value& at) const;  // "file:line:column"
  [[nodiscard]] const std::string& origin() const { return origin_; }

  // Null when `map` has no such key or its value is JSON's null. `map` itself must be a map.
  [[nodiscard]] const Value* find(const Value& map, std::string_view key) const;
  [[nodiscard]] const Value& need(const Value& map, std::string_view key) const;

  [[nodiscard]] const std::string& text(const Value& map, std::string_view key) const;
  [[nodiscard]] std::string text_or(const Value& map, std::string_view key, std::string otherwise) const;
  [[nodiscard]] std::int64_t integer(const Value& map, std::string_view key) const;
  [[nodiscard]] double number(const Value& map, std::string_view key) const;
  [[nodiscard]] bool flag_or(const Value& map, std::string_view key, bool otherwise) const;
  [[nodiscard]] const Value::List& list(const Value& map, std::string_view key) const;
  [[nodiscard]] const Value::Map& map(const Value& map, std::string_view key) const;

  // The value itself as a type; `what` names it in the message ("a merge", "key `vocab`").
  [[nodiscard]] const std::string& as_text(const Value& value, std::string_view what) const;
  [[nodiscard]] std::int64_t as_integer(const Value& value, std::string_view what) const;
  [[nodiscard]] const Value::List& as_list(const Value& value, std::string_view what) const;
  [[nodiscard]] const Value::Map& as_map(const Value& value, std::string_view what) const;

 private:
  [[noreturn]] void wrong_type(const Value& value, std::string_view what, const char* wanted) const;
  std::string origin_;
};

// A whole file; Error(data) naming the path when it cannot be read or is larger than `limit` bytes.
std::string read_text_file(const std::string& path, std::uint64_t limit = std::uint64_t{1} << 30);
Value read_json_file(const std::string& path, std::uint64_t limit = std::uint64_t{1} << 28);

}  // namespace v1
}  // namespace plumb
