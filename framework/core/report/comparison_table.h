// A comparison as tables for a terminal, as CSV and as JSON.
//
//   std::cout << to_text(comparison, {"table-1"});
//
// Thread contract: functions are [any].
#pragma once

#include <string>

#include "framework/core/evaluation/comparison.h"
#include "framework/core/telemetry/text.h"

namespace plumb {

// `title`: of what. A table for each measure, the verdicts, what differs in the recipes, notes.
std::string to_text(const Comparison& comparison, const std::string& title);
// A row's mean, difference to the baseline with interval and p value, and wins; the judgements that failed where a
// judge was asked.
Table to_table(const Comparison& comparison, const Measure& measure);
// In words, one for each row and measure that has a difference: "gold: aligned is above sft by 0.045 (…)".
std::vector<std::string> verdicts(const Comparison& comparison);
// Rows that please their reward model while the judge's score falls, in words: what over-optimisation there is. Without
// any, a sentence that says so; empty when no row was scored by both.
std::vector<std::string> over_optimisation(const Comparison& comparison);
// How intervals and p values came about.
std::string method(const Comparison& comparison);
// One line for each row and measure.
std::string to_csv(const Comparison& comparison);
Value to_value(const Comparison& comparison);

}  // namespace plumb
