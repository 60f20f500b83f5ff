// Rows of artifacts as JSON: the one place that knows their columns. Names are TRL's where TRL has one, so that
// pairs.jsonl, demonstrations.jsonl and preferences.jsonl load there unchanged.
//
//   const plumb::Value row = plumb::to_value(plumb::Prompt{"p1", {{"user", "Name three fruits."}}, {}});
//   const std::string line = plumb::to_json(row);
// The columns of each file:
//   prompts.jsonl         prompt_id, prompt: [{role, content}…], extra columns
//   demonstrations.jsonl  id, messages
//   preferences.jsonl     id, prompt_id, prompt, chosen: [{role: assistant, content}], rejected, chosen_reward?,
//                         rejected_reward?, margin?
//   responses.jsonl       prompt_id, prompt, prompt_ids, responses: [{text, ids, finish, reward?}], annotation?
//   pairs.jsonl           preferences' columns, and chosen_index and rejected_index into that prompt's row of
//                         responses.jsonl (-1: the dataset's own answer)
//
// Thread contract: functions of their arguments.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "plumb/records.h"
#include "plumb/value.h"

namespace plumb {
inline namespace v1 {

// Two answers to a prompt by their places in its ResponseGroup, the first preferred.
struct Pair {
  std::string prompt_id;
  int chosen_index = 0, rejected_index = 0;
  std::optional<double> chosen_reward, rejected_reward, margin;
};

// A row of a pairs artifact: a prompt's answers and the pairs made of them. Of a pair that was read, an index is always
// one of `group.responses`: the dataset's own answers stand behind the sampled ones.
struct PairedGroup {
  ResponseGroup group;
  std::vector<Pair> pairs;
};

using StageRow = std::variant<Prompt, Demonstration, Preference, ResponseGroup, PairedGroup>;

Value to_value(const Prompt&);
Value to_value(const Demonstration&);
Value to_value(const Preference&);
Value to_value(const ResponseGroup&);
// A row of pairs.jsonl. Throws Error(run_failed) when the pair points outside the group or at a missing annotation.
Value to_value(const Pair&, const ResponseGroup& group);
// {group: a row of responses.jsonl, pairs: rows of pairs.jsonl}.
Value to_value(const PairedGroup&);
Value to_value(const StageRow&);

// The types of artifact that are rows: "prompts", "texts" (demonstrations of one message), "demonstrations",
// "preferences", "responses", "scored" (responses that all have a reward) and "pairs".
const std::vector<std::string>& row_types();
// Why `row` cannot stand in an artifact of `type`, or empty: another record, no id, no message, an answer without a
// reward that is finite in "scored", a pair outside its group.
std::string wrong_row(const std::string& type, const StageRow& row);
// The lines that a row is in the files of an artifact of `type`; `row` is its to_value(). Of pairs a line of
// responses.jsonl and one of pairs.jsonl for each pair, else one line.
void each_line(const std::string& type, const Value& row,
               const std::function<void(const std::string& file, const Value& line)>& line);
// Those files, all of them: an artifact without rows has them, too.
std::vector<std::string> row_files(const std::string& type);

}  // namespace v1
}  // namespace plumb
