// What selections show in reports: histograms of reward gaps, the curve pairs(δ), the audit of every pair.
//
//   kind.report = {.section = add_selection, .by_row = add_selections, .choices = selection_choices};
//
// Each throws Error(data) when a file of an artifact cannot be read.
// Thread contract: functions are [any].
#pragma once

#include <string>
#include <vector>

#include "framework/core/catalogue/stage.h"
#include "framework/core/report/sections.h"

namespace plumb {

// Of pairs: how many were kept and why, the paper's Figure 2 (all gaps through the sigmoid, their mean and deviation),
// the same of the raw gaps, and how many pairs each threshold would have kept.
void add_selection(Report& report, const ReportItem& item);
// Of a sweep's rows: the same side by side; rows that choose from the same responses share their figures.
void add_selections(Document& page, const std::vector<ReportItem>& selections, const std::string& of);
// The pairs or demonstrations that were chosen, and the parameters of the policy that are set.
std::vector<ShownChoice> selection_choices(const ArtifactManifest& manifest);

}  // namespace plumb
