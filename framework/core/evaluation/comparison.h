// Rows of runs side by side: means over seeds, differences to one of them by prompt, and what can be told apart.
//
//   Comparison c = compare(runs, {.baseline = "sft"});
//   c.measures[0].cells[2].difference->verdict        // Verdict::above
//
// A row is a model of the runs that differ in nothing but the seed; runs of equal recipe and seed count once, and a model
// that several rows share (one artifact) is one row. A difference pairs two rows by prompt and seed: per
// prompt the mean over samples. With two seeds or more its interval takes both prompts and seeds for samples
// (evaluation/two_way.h); with one it is a paired bootstrap over prompts (evaluation/bootstrap.h), which says how sure a
// difference of these two trained models is and nothing of what training again would give. Repeated prompts count once.
// p values are adjusted for all differences of a comparison (Holm).
// Thread contract: functions are [any].
#pragma once

#include <optional>

#include "framework/core/evaluation/bootstrap.h"
#include "framework/core/evaluation/run_scores.h"

namespace plumb {

enum class Verdict { above, below, not_distinguishable };

struct Difference {
  std::size_t over = 0;                 // the other row: the baseline, or where another reward model scored that, the
                                        // first row that this one's scored
  Interval mean;                        // of the differences by prompt
  double p = 1;                         // adjusted
  Interval win_rate;                    // share of answers that score higher, ties a half; answer i meets answer i
  std::size_t seeds = 0, agreeing = 0;  // that both rows have; whose mean difference has the sign of the whole
  Verdict verdict = Verdict::not_distinguishable;
};

struct Cell {
  std::size_t seeds = 0, prompts = 0;    // prompts of all seeds together
  std::optional<std::int64_t> failures;  // judgements of all seeds that are not in the mean; absent: nobody judged
  double mean = 0;                       // over seeds
  std::optional<double> deviation;       // of the seeds' means (n − 1); of two seeds or more
  std::optional<Difference> difference;  // absent for the baseline
};

struct Measure {
  std::string name;
  std::vector<std::optional<Cell>> cells;  // by row; absent where it was not measured
};

struct MetricCell {
  double mean = 0;
  std::optional<double> deviation;
  std::optional<std::int64_t> failures;  // as of a Cell
};

struct MetricRow {  // a metric of the evaluators, over seeds
  std::string name;
  std::vector<std::optional<MetricCell>> cells;  // by row
};

// What a row gained with a reward model and with a judge, over the same other row. Over-optimised: the reward is above
// and the judge's score below, each with its whole interval and told apart as the tables tell rows apart.
struct Tradeoff {
  std::size_t row = 0, over = 0;
  std::string reward, score;  // names of measures
  Interval reward_gain, score_gain;
  double p = 0;  // the larger of the two, adjusted where the tables show them
  [[nodiscard]] bool over_optimised() const { return reward_gain.low > 0 && score_gain.high < 0 && p < 0.05; }
};

struct Comparison {
  std::vector<std::string> rows;
  std::size_t baseline = 0;
  std::vector<Measure> measures;
  std::vector<MetricRow> metrics;
  std::vector<Tradeoff> tradeoffs;                // of rows that a reward model and a judge scored
  std::vector<std::vector<std::string>> recipes;  // by row: how its recipe differs from the baseline's
  std::vector<std::string> notes;                 // what a reader must know: few seeds, prompts that differ …
};

struct CompareOptions {
  std::string baseline;  // a row; empty: the first
  std::size_t resamples = kResamples;
  std::uint64_t seed = 0;  // of the resamples
};

// Error(recipe) when there is no such baseline, Error(data) when two rows have no prompt in common.
Result<Comparison> compare(const std::vector<RunScores>& runs, const CompareOptions& options);

}  // namespace plumb
