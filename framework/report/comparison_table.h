// A comparison as tables for a terminal, as CSV and as JSON.
//
//   std::cout << to_text(comparison, {"table-1"});
//
// Thread contract: functions are [any].
#pragma once

#include <string>

#include "framework/evaluation/comparison.h"

namespace plumb {

// `title`: of what. A table for each measure, the verdicts, what differs in the recipes, notes.
std::string to_text(const Comparison& comparison, const std::string& title);
// One line for each row and measure.
std::string to_csv(const Comparison& comparison);
Value to_value(const Comparison& comparison);

// A field of CSV (RFC 4180): in quotes when it must be. A text that a spreadsheet would run as a formula is led by '.
std::string csv_field(const std::string& text);

}  // namespace plumb
