// The report of a sweep: its rows side by side, as the paper's tables and figures have them.
//
//   Document page = write_sweep_report({.title = "table-1", .comparison = comparison, .arms = arms}).value();
//   write_file("report.html", to_html(page));
//
// Sections: measures with deviations over seeds, intervals and verdicts, beside published numbers where the sweep names
// some; what each row's selection kept (Table 6's counts) and the reward gaps (Figure 2); one measure against another
// (over-optimisation: the reward goes up, the gold score down); training curves by row (Figures 3 and 4); answers side
// by side; time and memory; how the recipes differ.
// Thread contract: write_sweep_report is [any].
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "framework/core/artifacts/artifact.h"
#include "framework/core/evaluation/comparison.h"
#include "framework/core/report/document.h"
#include "framework/core/report/examples.h"
#include "framework/result.h"

namespace plumb {

struct SweepArm {
  std::string row;  // arms of a row differ in nothing but the seed
  std::uint64_t seed = 0;
  std::vector<std::pair<std::string, Artifact>> stages;  // finished ones, by the recipe's names
};

struct SweepReport {
  std::string title;
  const Comparison& comparison;
  const std::vector<SweepArm>& arms;
  Value published;  // {source, rows: {ROW: {MEASURE: number}}}, or null
  Examples examples = {.count = 10};
};

// Error(data) when a file of an artifact cannot be read, Error(recipe) when no row answered a prompt that was chosen.
Result<Document> write_sweep_report(const SweepReport& report);

}  // namespace plumb
