// Named numbers as data: metrics and states in checkpoints.
//
//   Value map = value_of(numbers);       // {"objective/kl": 0.5, …}
//   auto numbers = numbers_of(map);
//
// Thread contract: functions are [any].
#pragma once

#include <map>
#include <string>

#include "plumb/value.h"

namespace plumb {

inline Value value_of(const std::map<std::string, double>& numbers) {
  Value map = Value::map();
  for (const auto& [name, number] : numbers) map.set(name, number);
  return map;
}

inline std::map<std::string, double> numbers_of(const Value& map) {
  std::map<std::string, double> numbers;
  for (const auto& entry : map.as_map()) numbers[entry.key] = entry.value.as_double();
  return numbers;
}

}  // namespace plumb
