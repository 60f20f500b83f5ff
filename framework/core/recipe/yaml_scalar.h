// What an unquoted word of a recipe is: null, true or false, a decimal number, or text.
//
//   PlainScalar s = read_plain_scalar("1.0e-5");   // s.value == 1e-5
//   read_plain_scalar("010").complaint             // "leading zero: …"
//
// Thread contract: functions are [any].
#pragma once

#include <string>
#include <string_view>

#include "plumb/value.h"

namespace plumb {

struct PlainScalar {
  Value value;
  std::string complaint;  // why it is refused, and what to write instead; empty when it is not
};

PlainScalar read_plain_scalar(std::string_view text);

// The spelling that reads back as the same value. Strings are quoted when they must be.
std::string write_scalar(const Value& value);

}  // namespace plumb
