#include "framework/core/evaluation/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "framework/core/evaluation/comparison_rows.h"
#include "framework/core/evaluation/two_way.h"
#include "framework/core/recipe/differences.h"
#include "plumb/params.h"

namespace plumb {
namespace {

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::optional<double> deviation_of(const std::vector<double>& values) {
  if (values.size() < 2) return std::nullopt;
  const double mean = mean_of(values);
  double squares = 0;
  for (double v : values) squares += (v - mean) * (v - mean);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

double mean_of(const PromptScores& scores) {
  double sum = 0;
  for (const auto& [prompt, values] : scores) sum += mean_of(values);
  return sum / static_cast<double>(scores.size());
}

std::vector<std::string> measures_of(const std::vector<Row>& rows) {
  std::vector<std::string> out;
  for (const Row& row : rows) {
    for (const Entry& entry : row.entries) {
      for (const auto& [name, scores] : entry.model->scores) {
        if (std::find(out.begin(), out.end(), name) == out.end()) out.push_back(name);
      }
    }
  }
  return out;
}

// Differences by prompt of two rows, over the seeds that both have; without such, of their first runs.
class Paired {
 public:
  Paired(const Row& row, const Row& baseline, const std::string& measure) {
    for (const Entry& entry : row.entries) {
      const Entry* other = entry_of(baseline, entry.run->seed);
      if (other != nullptr) add(entry, *other, measure);
    }
    if (seeds == 0) add(row.entries.front(), baseline.entries.front(), measure);
  }

  std::map<std::string, std::vector<double>> gains, wins;            // by prompt, of each seed
  std::vector<std::map<std::string, double>> seed_gains, seed_wins;  // by seed, of each prompt
  std::vector<double> by_seed;
  std::size_t seeds = 0;
  bool other_scorer = false;  // different reward models gave the scores of a seed

 private:
  void add(const Entry& entry, const Entry& other, const std::string& measure) {
    const PromptScores *own = scores_of(entry, measure), *theirs = scores_of(other, measure);
    if (own == nullptr || theirs == nullptr) return;
    const auto scorer = [&](const Entry& e) {
      const auto found = e.model->scorers.find(measure);
      return found == e.model->scorers.end() ? std::string() : found->second;
    };
    other_scorer = other_scorer || scorer(entry) != scorer(other);
    std::vector<double> all;
    std::map<std::string, double> gain, win;
    for (const auto& [prompt, values] : *own) {
      const auto found = theirs->find(prompt);
      if (found == theirs->end()) continue;
      gains[prompt].push_back(gain[prompt] = mean_of(values) - mean_of(found->second));
      wins[prompt].push_back(win[prompt] = win_rate(values, found->second));
      all.push_back(gain[prompt]);
    }
    if (all.empty()) return;
    ++seeds;
    by_seed.push_back(mean_of(all));
    seed_gains.push_back(std::move(gain));
    seed_wins.push_back(std::move(win));
  }

  static double win_rate(const std::vector<double>& own, const std::vector<double>& theirs) {
    const std::size_t n = std::min(own.size(), theirs.size());
    double wins = 0;
    for (std::size_t i = 0; i < n; ++i) wins += own[i] > theirs[i] ? 1 : own[i] < theirs[i] ? 0 : 0.5;
    return wins / static_cast<double>(n);
  }
};

std::vector<double> means_by_prompt(const std::map<std::string, std::vector<double>>& values) {
  std::vector<double> out;
  for (const auto& [prompt, of_seeds] : values) out.push_back(mean_of(of_seeds));
  return out;
}

Difference difference_of(const Paired& paired, const CompareOptions& options) {
  Difference out;
  if (paired.seeds > 1) {
    out.mean = over_seeds_and_prompts(paired.seed_gains);
    out.win_rate = over_seeds_and_prompts(paired.seed_wins);
    out.win_rate.low = std::max(out.win_rate.low, 0.0);
    out.win_rate.high = std::min(out.win_rate.high, 1.0);
  } else {
    // The same resamples for every row, so that rows that answer alike get intervals alike.
    const Random random = Random(options.seed).derive("bootstrap");
    out.mean = bootstrap_mean(means_by_prompt(paired.gains), random, options.resamples);
    out.win_rate = bootstrap_mean(means_by_prompt(paired.wins), random, options.resamples);
  }
  out.p = out.mean.p;
  out.seeds = paired.seeds;
  for (double gain : paired.by_seed) out.agreeing += gain * out.mean.mean > 0 ? 1 : 0;
  return out;
}

// Adds up what is known of a name; unknown in all: absent.
void add_failures(std::optional<std::int64_t>& sum, const std::map<std::string, std::int64_t>& of,
                  const std::string& name) {
  const auto found = of.find(name);
  if (found != of.end()) sum = sum.value_or(0) + found->second;
}

Cell cell_of(const Row& row, const std::string& measure) {
  Cell cell;
  std::vector<double> means;
  std::set<std::string> prompts;
  for (const Entry& entry : row.entries) {
    add_failures(cell.failures, entry.model->score_failures, measure);
    const PromptScores* scores = scores_of(entry, measure);
    if (scores == nullptr || scores->empty()) continue;
    means.push_back(mean_of(*scores));
    for (const auto& [prompt, values] : *scores) prompts.insert(prompt);
  }
  cell.seeds = means.size();
  cell.prompts = prompts.size();
  if (means.empty()) return cell;
  cell.mean = mean_of(means);
  cell.deviation = deviation_of(means);
  return cell;
}

// One family: every difference that the comparison shows.
void judge(std::vector<Measure>& measures) {
  std::vector<Difference*> shown;
  for (Measure& measure : measures) {
    for (auto& cell : measure.cells) {
      if (cell && cell->difference) shown.push_back(&*cell->difference);
    }
  }
  std::vector<double> p;
  for (const Difference* difference : shown) p.push_back(difference->p);
  const std::vector<double> adjusted = holm(p);
  for (std::size_t i = 0; i < shown.size(); ++i) {
    Difference& difference = *shown[i];
    difference.p = adjusted[i];
    const bool apart = difference.p < 0.05 && (difference.mean.low > 0 || difference.mean.high < 0);
    if (apart) difference.verdict = difference.mean.mean > 0 ? Verdict::above : Verdict::below;
  }
}

// The row that another's scores are set against. Where another reward model scored the baseline, it is the first row
// that the same one scored.
struct Reference {
  std::size_t row = 0;
  std::optional<Paired> paired;  // with that row; absent for the first one itself
  bool other_scorer = false;     // of the baseline
};

Result<Reference> reference_of(const std::vector<Row>& rows, std::size_t baseline, std::size_t row,
                               const std::string& measure) {
  Paired paired(rows[row], rows[baseline], measure);
  if (paired.gains.empty()) {
    return Error(ErrorCode::data, fmt::format("{} and {} were measured on different prompts; there is nothing to pair",
                                              rows[row].name, rows[baseline].name));
  }
  if (!paired.other_scorer) return Reference{baseline, std::move(paired), false};
  for (std::size_t i = 0; i < row; ++i) {
    if (i == baseline) continue;
    Paired with(rows[row], rows[i], measure);
    if (!with.gains.empty() && !with.other_scorer) return Reference{i, std::move(with), true};
  }
  return Reference{row, std::nullopt, true};
}

Result<Measure> measure_of(const std::vector<Row>& rows, std::size_t baseline, const std::string& name,
                           const CompareOptions& options, std::vector<std::string>& notes) {
  Measure measure{name, {}};
  const bool has_baseline = cell_of(rows[baseline], name).seeds > 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Cell cell = cell_of(rows[i], name);
    measure.cells.emplace_back();
    if (cell.seeds == 0) continue;
    const Result<Reference> reference =
        i == baseline || !has_baseline ? Reference{} : reference_of(rows, baseline, i, name);
    if (!reference) return reference.error();
    if (reference->other_scorer) {
      const std::string apart =
          fmt::format("{}: different reward models scored {} and {}; ", name, rows[i].name, rows[baseline].name);
      notes.push_back(apart + (reference->paired ? fmt::format("it is compared with {}", rows[reference->row].name)
                                                 : std::string("their scores are not compared")));
    }
    if (reference->paired) {
      cell.difference = difference_of(*reference->paired, options);
      cell.difference->over = reference->row;
      if (reference->paired->gains.size() < cell.prompts) {
        notes.push_back(fmt::format("{}: {} of {} prompts of {} are those of {}; only these are compared", name,
                                    reference->paired->gains.size(), cell.prompts, rows[i].name,
                                    rows[reference->row].name));
      }
    }
    measure.cells.back() = std::move(cell);
  }
  return measure;
}

bool is_reward(const std::vector<Row>& rows, const std::string& measure) {
  for (const Row& row : rows) {
    for (const Entry& entry : row.entries) {
      if (entry.model->scorers.contains(measure)) return true;
    }
  }
  return false;
}

std::vector<Tradeoff> tradeoffs_of(const std::vector<Row>& rows, const std::vector<Measure>& measures,
                                   const CompareOptions& options) {
  std::vector<Tradeoff> out;
  for (const Measure& reward : measures) {
    if (!is_reward(rows, reward.name)) continue;
    for (const Measure& score : measures) {
      if (is_reward(rows, score.name)) continue;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        if (!reward.cells[i] || !reward.cells[i]->difference) continue;
        const std::size_t over = reward.cells[i]->difference->over;
        const auto& cell = score.cells[i];
        const bool known = cell && cell->difference && cell->difference->over == over;
        const Paired paired(rows[i], rows[over], score.name);
        if (paired.gains.empty()) continue;
        const Difference& gained = *reward.cells[i]->difference;
        const Difference lost = known ? *cell->difference : difference_of(paired, options);
        out.push_back({i, over, reward.name, score.name, gained.mean, lost.mean, std::max(gained.p, lost.p)});
      }
    }
  }
  return out;
}

std::vector<MetricRow> metrics_of(const std::vector<Row>& rows) {
  std::vector<MetricRow> out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::map<std::string, std::vector<double>> values;
    std::map<std::string, std::optional<std::int64_t>> failures;
    for (const Entry& entry : rows[i].entries) {
      for (const Metric& metric : entry.model->metrics) {
        values[metric.name].push_back(metric.value);
        add_failures(failures[metric.name], entry.model->metric_failures, metric.name);
      }
    }
    for (const auto& [name, of_seeds] : values) {
      auto row = std::find_if(out.begin(), out.end(), [&n = name](const MetricRow& m) { return m.name == n; });
      if (row == out.end()) row = out.insert(row, MetricRow{name, {}});
      row->cells.resize(rows.size());
      row->cells[i] = MetricCell{mean_of(of_seeds), deviation_of(of_seeds), failures[name]};
    }
  }
  for (MetricRow& metric : out) metric.cells.resize(rows.size());
  return out;
}

}  // namespace

Result<Comparison> compare(const std::vector<RunScores>& runs, const CompareOptions& options) {
  if (runs.empty()) return Error(ErrorCode::data, "nothing to compare: there are no runs");
  Comparison out;
  const std::vector<Row> rows = rows_of(runs, out.notes);
  for (const Row& row : rows) out.rows.push_back(row.name);
  if (!options.baseline.empty()) {
    const auto found = std::find_if(rows.begin(), rows.end(), [&](const Row& row) {
      return row.name == options.baseline ||
             std::find(row.other_names.begin(), row.other_names.end(), options.baseline) != row.other_names.end();
    });
    if (found == rows.end()) {
      const std::string nearest = nearest_name(options.baseline, out.rows);
      return Error(ErrorCode::recipe,
                   fmt::format("there is no row `{}` to compare with; there are: {}{}", options.baseline,
                               fmt::join(out.rows, ", "), nearest.empty() ? "" : "; nearest: " + nearest));
    }
    out.baseline = static_cast<std::size_t>(found - rows.begin());
  }
  for (const std::string& name : measures_of(rows)) {
    Result<Measure> measure = measure_of(rows, out.baseline, name, options, out.notes);
    if (!measure) return measure.error();
    out.measures.push_back(std::move(*measure));
  }
  judge(out.measures);
  out.metrics = metrics_of(rows);
  out.tradeoffs = tradeoffs_of(rows, out.measures, options);
  for (const Row& row : rows) {
    out.recipes.push_back(
        value_differences(rows[out.baseline].entries.front().run->recipe, row.entries.front().run->recipe));
  }
  add_notes(rows, out);
  return out;
}

}  // namespace plumb
