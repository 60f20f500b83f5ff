// The report of a run: what came out, in one Markdown page and in a few lines for the terminal.
//
//   Report report = write_report({.title = "quickstart", .items = {{"gold", &evaluation}, {"pairs", &pairs}}});
//   write_file(folder / "report.md", report.markdown);
//
// Sections, each for the artifacts it can show: scores with 95 % intervals (evaluations), pairs and thresholds (pairs),
// training curves (models), answers side by side, where the models lie and how to talk to one.
// Thread contract: write_report is [any].
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "framework/artifacts/artifact.h"

namespace plumb {

struct ReportRequest {
  std::string title;                                           // empty: "Report"
  std::vector<std::pair<std::string, const Artifact*>> items;  // by the names of the recipe
  std::size_t examples = 5;                                    // prompts shown with all answers, per evaluation
};

struct Report {
  std::string markdown;
  std::string text;
};

// Throws Error(data) when a file of an artifact cannot be read.
Report write_report(const ReportRequest& request);

}  // namespace plumb
