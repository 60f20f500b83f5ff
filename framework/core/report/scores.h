// The numbers of an evaluation as a table: one row a model, one column a measure, and what the differences say in
// words.
//
//   Scores scores = arrange_scores(metrics, {"sft", "aligned"}, "sft", {{"judge", "gold"}});
//   scores.full, scores.brief, scores.verdicts        // "gold score: aligned is above sft by 0.071 (…)"
//
// Metrics are named KIND/MODEL/MEASURE or KIND/MODEL (evaluation/metric_name.h): judge/aligned/difference,
// mt-bench/aligned/category/math, words/aligned. Others are listed as they are.
// Thread contract: functions are [any].
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "framework/core/telemetry/text.h"

namespace plumb {

struct Scores {
  Table full;                         // every measure
  Table brief;                        // without categories, and differences whose win rate is there: fits a terminal
  std::vector<std::string> verdicts;  // one for each difference that has an interval
  std::vector<Metric> others;         // of no model
};

// `names`: what to call a KIND, where it is not its own name. `failures`: by metric, judgements left out of its value;
// "6.3 ± 0.4 (2 failed)".
Scores arrange_scores(std::span<const Metric> metrics, const std::vector<std::string>& models,
                      const std::string& baseline, const std::map<std::string, std::string>& names,
                      const std::map<std::string, std::int64_t>& failures = {});

}  // namespace plumb
