// An evaluation on disk: metrics.json (every number with its interval), answers.jsonl (every answer with its scores)
// and the files that evaluators add in formats of their own.
//
//   write_evaluations(folder, {{"judge-score", evaluation}}).value();
//   std::vector<Metric> metrics = read_metrics(folder).value();
//
// Rows of answers.jsonl: prompt_id, model, prompt, answer, scores: {name: number}, extra: {evaluator: …}. Evaluators
// that looked at the same answer share its row. Thread contract: functions are [any].
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "framework/result.h"
#include "plumb/evaluator.h"

namespace plumb {

// What a key of resolved parameters names: a text, or the name of a component; empty when it is absent.
std::string name_at(const Value& params, std::string_view key);

// {name, value, low?, high?, standard_error?, count?}; a row of metrics.json has `failures`, too, where it was judged.
Value to_value(const Metric& metric);

// The evaluations by evaluator, in the order of the recipe. Error(plugin) when two report the same metric or write the
// same file, or a file's name leaves the folder; a name may hold slashes.
Result<void> write_evaluations(const std::filesystem::path& folder,
                               const std::vector<std::pair<std::string, Evaluation>>& evaluations);

Result<std::vector<Metric>> read_metrics(const std::filesystem::path& folder);
// Evaluation::failures of all evaluators.
Result<std::map<std::string, std::int64_t>> read_failures(const std::filesystem::path& folder);
Result<std::vector<EvaluatedAnswer>> read_answers(const std::filesystem::path& folder);

}  // namespace plumb
