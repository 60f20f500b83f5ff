// Entries of maps that others wrote, in which a missing or a strange entry is as good as none.
//
//   const plumb::Value config = plumb::parse_json(R"({"model_type": "llama"})");
//   const std::string type = plumb::entry<std::string>(config, "model_type").value_or("");
//
// Thread contract: functions are [any].
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "plumb/value.h"

namespace plumb {
inline namespace v1 {

// What stands at `key`, where `map` is one and that is a T: bool, std::int64_t, double (integers, too), std::string or
// std::vector<std::string>; else nothing.
template <class T>
std::optional<T> entry(const Value& map, std::string_view key) {
  const Value* found = map.is_map() ? map.find(key) : nullptr;
  if (found == nullptr) return std::nullopt;
  const auto type = found->type();
  if constexpr (std::is_same_v<T, bool>) {
    if (type == Value::Type::boolean) return found->as_bool();
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    if (type == Value::Type::integer) return found->as_int();
  } else if constexpr (std::is_same_v<T, double>) {
    if (type == Value::Type::integer || type == Value::Type::real) return found->as_double();
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (type == Value::Type::string) return found->as_string();
  } else {
    static_assert(std::is_same_v<T, std::vector<std::string>>);
    if (type != Value::Type::list) return std::nullopt;
    T texts;
    for (const Value& item : found->as_list()) {
      if (!item.is_string()) return std::nullopt;
      texts.push_back(item.as_string());
    }
    return texts;
  }
  return std::nullopt;
}

}  // namespace v1
}  // namespace plumb
