// The sections of a run's report that are not one stage kind's own (StageKind::report). Each adds to the page and,
// where a terminal's reader wants it, to the text.
//
//   add_scores(report, item);             // an evaluation: means, differences and what they say
//   add_summary(report, item);            // of any stage: what its summary says
//   add_answers(report, item, 5);         // an evaluation: answers of all models side by side
//   add_training(report, models);         // models: curves and where they lie
//   add_rows(report, manifests);          // rows left out, cut or merged, stage by stage
//   add_timings(report, items);           // time and memory of every stage
//
// Each throws Error(data) when a file of an artifact cannot be read.
// Thread contract: functions are [any].
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "framework/core/artifacts/artifact.h"
#include "framework/core/evaluation/comparison.h"
#include "framework/core/report/report.h"
#include "plumb/evaluator.h"

namespace plumb {

struct ReportItem {
  std::string name;  // as the recipe gives it
  const Artifact& artifact;
};

void add_scores(Report& report, const ReportItem& item);
void add_summary(Report& report, const ReportItem& item);
// A section for each evaluation that has such prompts. Throws Error(recipe) for a chosen one that none of them has.
void add_answers(Report& report, const std::vector<ReportItem>& evaluations, const Examples& examples);
void add_training(Report& report, const std::vector<ReportItem>& models);
void add_rows(Report& report, const std::vector<std::pair<std::string, ArtifactManifest>>& stages);
void add_timings(Report& report, const std::vector<ReportItem>& items);

// Training curves of models side by side: a figure for each quantity that two or more of its points show.
void add_curves(Document& page, const std::vector<ReportItem>& models);
// Answers of models to the same prompts, of each model the first. Throws Error(recipe) for a chosen prompt without answers.
void add_answers(Document& page, const std::vector<EvaluatedAnswer>& answers, const Examples& examples);
// Over-optimisation of the rows of a comparison: what there is of it in words, every row's reward against its score by
// a judge as a point of a figure for each reward model, and in numbers. Nothing where no row has both.
void add_tradeoffs(Document& page, const Comparison& comparison);

// "learning_rate 0.0005" and so on: the entries of a summary, one a line.
Bullets summary_bullets(const Value& summary);

}  // namespace plumb
