// The report of a run: what came out, as one document (Markdown and HTML) and in a few lines for the terminal.
//
//   Report report = write_report({.title = "quickstart", .items = {{"gold", &evaluation}, {"pairs", &pairs}}}).value();
//   save_report(report, folder).value();          // report.md, report.html, report.txt, data/*.csv
//
// Sections, each for the artifacts it can show: scores with 95 % intervals (evaluations); gaps, pairs(δ) and the audit
// (pairs); answers side by side; training curves, where the models lie and how to talk to one (models); rows that were
// left out, cut or merged on the way; time and memory of each stage.
// Thread contract: functions are [any].
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "framework/core/artifacts/artifact.h"
#include "framework/core/report/document.h"
#include "framework/core/report/examples.h"
#include "framework/result.h"

namespace plumb {

struct ReportRequest {
  std::string title;                                           // empty: "Report"
  std::vector<std::pair<std::string, const Artifact*>> items;  // by the names of the recipe
  Examples examples = {};
  // What the items were made from, in the order of the data flow: their row accounts are shown, too.
  std::vector<ArtifactManifest> made_from = {};
};

struct Report {
  Document page;
  std::string text;  // for a terminal
};

// Error(data) when a file of an artifact cannot be read, Error(recipe) when no evaluation has an example prompt.
Result<Report> write_report(const ReportRequest& request);

// The artifacts that `items` were made from, as far as they lie in the same store, each after what it was made from.
std::vector<ArtifactManifest> ancestors(const std::vector<std::pair<std::string, const Artifact*>>& items);

// Replaces report.md, report.html, report.txt and data/ in the folder.
Result<void> save_report(const Report& report, const std::filesystem::path& folder);

}  // namespace plumb
