// The rows of a comparison while it is made: runs that differ in nothing but the seed, one model of each.
//
//   const PromptScores* scores = scores_of(row.entries[0], "gold");       // null where it was not measured
//   std::vector<Row> rows = rows_of(runs, comparison.notes);
//   add_notes(rows, comparison);
//
// Borrows the runs. Thread contract: functions are [any].
#pragma once

#include <string>
#include <vector>

#include "framework/core/evaluation/comparison.h"

namespace plumb {

// One model of one run.
struct Entry {
  const RunScores* run;
  const ModelScores* model;
};

struct Row {
  std::string name;
  std::vector<Entry> entries;            // one for each seed
  std::vector<std::string> other_names;  // of the rows that hold the very same model
};

// The rows in the order of the runs. Runs are of one row when a sweep says so or their recipes are equal; of two with one
// recipe and one seed the first counts. Different rows never have one name. Notes say what was left out or joined.
std::vector<Row> rows_of(const std::vector<RunScores>& runs, std::vector<std::string>& notes);

inline const PromptScores* scores_of(const Entry& entry, const std::string& measure) {
  const auto found = entry.model->scores.find(measure);
  return found == entry.model->scores.end() ? nullptr : &found->second;
}

inline const Entry* entry_of(const Row& row, std::uint64_t seed) {
  for (const Entry& entry : row.entries) {
    if (entry.run->seed == seed) return &entry;
  }
  return nullptr;
}

// What a reader must know: few seeds, seeds that rows do not share, judgements that failed. The measures are there.
void add_notes(const std::vector<Row>& rows, Comparison& comparison);

}  // namespace plumb
