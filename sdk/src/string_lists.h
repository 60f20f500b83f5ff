// Lists of strings in descriptions.
//
// Thread contract: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plumb/value.h"

namespace plumb {
inline namespace v1 {
namespace detail {

inline Value list_of(const std::vector<std::string>& texts) {
  return Value::List(texts.begin(), texts.end());
}

// Of a key that may be absent; throws Error(recipe) for what is no list of strings.
inline std::vector<std::string> texts_of(const Value& value, std::string_view key) {
  std::vector<std::string> out;
  if (const Value* found = value.find(key)) {
    for (const Value& item : found->as_list()) out.push_back(item.as_string());
  }
  return out;
}

}  // namespace detail
}  // namespace v1
}  // namespace plumb
