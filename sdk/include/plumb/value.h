// A tree of plain values with the place in the recipe each came from. Recipes, parameters and metadata use it, so that
// no YAML or JSON library crosses the plugin boundary.
//
//   plumb::Value v = plumb::Value::map({{"eta", 0.85}, {"tau", 1.0}});
//   double eta = v.at("eta").as_double();
//
// Thread contract: a value type; concurrent reads of one object are safe.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace plumb {
inline namespace v1 {

// Place in a text file, counted from 1. Line 0: not from a file (a default or a command-line override).
struct Mark {
  int line = 0;
  int column = 0;
  bool operator==(const Mark&) const = default;
};

class Value {
 public:
  struct Entry;
  using List = std::vector<Value>;
  using Map = std::vector<Entry>;  // in file order; keys are unique
  enum class Type { null, boolean, integer, real, string, list, map };

  Value();
  Value(bool v);              // NOLINT(google-explicit-constructor): literals read as values
  Value(int v);               // NOLINT(google-explicit-constructor)
  Value(std::int64_t v);      // NOLINT(google-explicit-constructor)
  Value(double v);            // NOLINT(google-explicit-constructor)
  Value(const char* v);       // NOLINT(google-explicit-constructor)
  Value(std::string v);       // NOLINT(google-explicit-constructor)
  Value(std::string_view v);  // NOLINT(google-explicit-constructor)
  Value(List v);              // NOLINT(google-explicit-constructor)
  Value(const Value&);
  Value(Value&&) noexcept;
  Value& operator=(const Value&);
  Value& operator=(Value&&) noexcept;
  ~Value();
  static Value list(std::initializer_list<Value> items);
  static Value map(std::initializer_list<std::pair<std::string, Value>> entries = {});

  [[nodiscard]] Type type() const noexcept { return static_cast<Type>(data_.index()); }
  [[nodiscard]] const char* type_name() const noexcept;  // "integer", "map", …
  [[nodiscard]] bool is_null() const noexcept { return type() == Type::null; }
  [[nodiscard]] bool is_map() const noexcept { return type() == Type::map; }
  [[nodiscard]] bool is_list() const noexcept { return type() == Type::list; }
  [[nodiscard]] bool is_string() const noexcept { return type() == Type::string; }

  // Each throws Error(recipe) that names the type found when it is not the type wanted. as_double accepts integers.
  [[nodiscard]] bool as_bool() const;
  [[nodiscard]] std::int64_t as_int() const;
  [[nodiscard]] double as_double() const;
  [[nodiscard]] const std::string& as_string() const;
  [[nodiscard]] const List& as_list() const;
  [[nodiscard]] const Map& as_map() const;
  [[nodiscard]] List& as_list();
  [[nodiscard]] Map& as_map();

  // Map access. find returns null when the key is absent; at throws Error(recipe); set inserts or replaces. A null
  // value reads as an empty map, and becomes one when set.
  [[nodiscard]] const Value* find(std::string_view key) const;
  [[nodiscard]] Value* find(std::string_view key);
  [[nodiscard]] const Value& at(std::string_view key) const;
  Value& set(std::string_view key, Value value);

  Mark mark;      // of the value
  Mark key_mark;  // of its key, when it is a map entry

  // Same tree; marks are not compared. 1 and 1.0 differ.
  bool operator==(const Value& other) const;

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, List, Map> data_;
};

struct Value::Entry {
  std::string key;
  Value value;
  bool operator==(const Entry&) const = default;
};

// Defined here and not in the class: they need Entry complete.
inline Value::Value() = default;
inline Value::Value(bool v) : data_(v) {}
inline Value::Value(int v) : data_(std::int64_t{v}) {}
inline Value::Value(std::int64_t v) : data_(v) {}
inline Value::Value(double v) : data_(v) {}
inline Value::Value(const char* v) : data_(std::string(v)) {}
inline Value::Value(std::string v) : data_(std::move(v)) {}
inline Value::Value(std::string_view v) : data_(std::string(v)) {}
inline Value::Value(const Value&) = default;
inline Value::Value(Value&&) noexcept = default;
inline Value& Value::operator=(const Value&) = default;
inline Value& Value::operator=(Value&&) noexcept = default;
inline Value::~Value() = default;

// Canonical JSON: keys in file order (or sorted), shortest round-trip numbers, UTF-8. Content hashes are taken over the
// sorted form. A malformed byte of a string is written as U+FFFD; a number that is not finite is Error(run_failed).
// parse_json rejects duplicate keys, depth > 64, malformed UTF-8 and trailing text with Error(data) naming
// origin:line:column. Integers beyond 64 bits become reals. Every value of the result carries its mark. `first_line` is
// the number of the text's first line in its file: rows of a JSONL file are parsed one by one.
std::string to_json(const Value& value, bool sorted = false, int indent = 0);
Value parse_json(std::string_view text, std::string_view origin = "JSON", int first_line = 1);

}  // namespace v1
}  // namespace plumb
