#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "framework/core/evaluation/comparison_rows.h"

namespace plumb {
namespace {

// Scores of a measure over all rows: how many each row has, and the lowest and the highest of all.
struct Extent {
  std::vector<double> counts;
  double low = INFINITY, high = -INFINITY;

  Extent(const std::vector<Row>& rows, const std::string& measure) {
    for (const Row& row : rows) {
      double& count = counts.emplace_back(0);
      for (const Entry& entry : row.entries) {
        const PromptScores* scores = scores_of(entry, measure);
        if (scores == nullptr) continue;
        for (const auto& [prompt, values] : *scores) {
          count += static_cast<double>(values.size());
          for (double value : values) low = std::min(low, value), high = std::max(high, value);
        }
      }
    }
  }
};

// A judgement that failed is in no mean, so what it could have done to the mean is said beside it.
void add_failure_notes(const std::vector<Row>& rows, const std::vector<Measure>& measures,
                       std::vector<std::string>& notes) {
  for (const Measure& measure : measures) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::int64_t failed = measure.cells[i] ? measure.cells[i]->failures.value_or(0) : 0;
      if (failed == 0) continue;
      const Extent extent(rows, measure.name);
      const double mean = measure.cells[i]->mean;
      const double share = static_cast<double>(failed) / (extent.counts[i] + static_cast<double>(failed));
      notes.push_back(
          fmt::format("{}: {} judgement{} of {} failed; the mean is over the others, and with a score more for each, "
                      "the lowest or the "
                      "highest of the table, it would be {:.3f} or {:.3f}",
                      measure.name, failed, failed == 1 ? "" : "s", rows[i].name, mean + share * (extent.low - mean),
                      mean + share * (extent.high - mean)));
    }
  }
}

void add_seed_notes(const std::vector<Row>& rows, std::size_t baseline, std::vector<std::string>& notes) {
  std::size_t fewest = rows.front().entries.size();
  for (const Row& row : rows) fewest = std::min(fewest, row.entries.size());
  if (fewest < 3) {
    notes.push_back(fewest == 1 ? std::string("1 seed: the intervals are over prompts alone; how much training again "
                                              "would change is unknown")
                                : std::string("2 seeds: how much training again would change is hardly known; three "
                                              "or more say something"));
  }
  for (const Row& row : rows) {
    const auto common = std::count_if(row.entries.begin(), row.entries.end(),
                                      [&](const Entry& e) { return entry_of(rows[baseline], e.run->seed) != nullptr; });
    if (common == 0) {
      notes.push_back(fmt::format("{} and {} have no seed in common: their first runs are compared", row.name,
                                  rows[baseline].name));
    }
  }
}

}  // namespace

void add_notes(const std::vector<Row>& rows, Comparison& comparison) {
  add_failure_notes(rows, comparison.measures, comparison.notes);
  add_seed_notes(rows, comparison.baseline, comparison.notes);
}

}  // namespace plumb
