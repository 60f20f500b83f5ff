// Cells of Arrow arrays as plain values.
//
//   check_schema(*reader->schema());                       // Error(data) for what has no plain form
//   Value messages = value_at(*batch->column(0), row);     // [{role, content}…]
//
// Numbers, booleans and texts stay what they are, decimals become reals, dates and times texts; lists become lists,
// structs maps, maps with text keys maps and other maps lists of {key, value}. NaN is what pandas writes for a missing
// number, and becomes null. Integers beyond 64 bits become reals, as in JSON.
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "plumb/value.h"

namespace arrow {
class Array;
class Schema;
}  // namespace arrow

namespace plumb::files {

// Throws Error(data) that names the column, without a place, when a column's type has no plain form, or when two
// columns or two fields of a struct have one name.
void check_schema(const arrow::Schema& schema);

// Throws Error(data) that says what is wrong, without a place: an infinite number, a text that is no UTF-8, a key
// twice.
Value value_at(const arrow::Array& array, std::int64_t index);

}  // namespace plumb::files
