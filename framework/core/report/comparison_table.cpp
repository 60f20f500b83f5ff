#include "framework/core/report/comparison_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "framework/core/telemetry/text.h"

namespace plumb {
namespace {

constexpr std::size_t kDifferencesShown = 6;

const char* spelling(Verdict verdict) {
  switch (verdict) {
    case Verdict::above:
      return "above";
    case Verdict::below:
      return "below";
    default:
      return "not distinguishable";
  }
}

std::string with_deviation(double mean, const std::optional<double>& deviation) {
  return deviation ? fmt::format("{:.3f} ± {:.3f}", mean, *deviation) : fmt::format("{:.3f}", mean);
}

std::string show_p(double p) {
  return p < 0.001 ? "<0.001" : fmt::format("{:.3f}", p);
}

bool was_judged(const Measure& measure) {
  return std::any_of(measure.cells.begin(), measure.cells.end(),
                     [](const auto& cell) { return cell && cell->failures; });
}

// A column after the measure's own; `table` has a row for each cell that is there.
void add_failures(Table& table, const Measure& measure) {
  if (!was_judged(measure)) return;
  constexpr std::ptrdiff_t kAfter = 3;
  table.header.insert(table.header.begin() + kAfter, "failed");
  auto row = table.rows.begin();
  for (const auto& cell : measure.cells) {
    if (!cell) continue;
    row->insert(row->begin() + kAfter, cell->failures ? show_count(*cell->failures) : "");
    ++row;
  }
}

}  // namespace

Table to_table(const Comparison& c, const Measure& measure) {
  const std::string& baseline = c.rows[c.baseline];
  Table out{{"row", "seeds", measure.name, "over " + baseline, "95 % interval", "p", "wins, %", "told apart"}, {}};
  for (std::size_t i = 0; i < c.rows.size(); ++i) {
    if (!measure.cells[i]) continue;
    const Cell& cell = *measure.cells[i];
    out.rows.push_back(
        {c.rows[i], std::to_string(cell.seeds), with_deviation(cell.mean, cell.deviation), "", "", "", "", ""});
    if (!cell.difference) continue;
    const Difference& d = *cell.difference;
    out.rows.back() = {out.rows.back()[0],
                       out.rows.back()[1],
                       out.rows.back()[2],
                       d.over == c.baseline ? fmt::format("{:+.3f}", d.mean.mean)
                                            : fmt::format("{:+.3f} over {}", d.mean.mean, c.rows[d.over]),
                       fmt::format("{:+.3f} to {:+.3f}", d.mean.low, d.mean.high),
                       show_p(d.p),
                       fmt::format("{:.1f}", 100 * d.win_rate.mean),
                       d.verdict == Verdict::not_distinguishable ? "no" : spelling(d.verdict)};
  }
  add_failures(out, measure);
  return out;
}

namespace {

std::string verdict_of(const Comparison& c, const Measure& measure, std::size_t row) {
  const Difference& d = *measure.cells[row]->difference;
  const std::string what = fmt::format("95 % interval {:+.3f} to {:+.3f} over {} prompts{}", d.mean.low, d.mean.high,
                                       show_count(static_cast<std::int64_t>(d.mean.count)),
                                       d.mean.seeds > 1 ? fmt::format(" and {} seeds", d.mean.seeds) : "");
  const std::string seeds =
      d.seeds > 1 ? fmt::format("; {} of {} seeds agree on the sign", d.agreeing, d.seeds) : std::string();
  const std::string &own = c.rows[row], &baseline = c.rows[d.over];
  if (d.verdict == Verdict::not_distinguishable) {
    return fmt::format("{}: {} and {} are not distinguishable ({}{})", measure.name, own, baseline, what, seeds);
  }
  return fmt::format("{}: {} is {} {} by {:.3f} ({}{})", measure.name, own, spelling(d.verdict), baseline,
                     std::abs(d.mean.mean), what, seeds);
}

std::string recipes_of(const Comparison& c) {
  std::string out;
  for (std::size_t i = 0; i < c.rows.size(); ++i) {
    const auto& lines = c.recipes[i];
    if (lines.empty()) continue;
    out += fmt::format("  {}\n", c.rows[i]);
    for (std::size_t l = 0; l < std::min(lines.size(), kDifferencesShown); ++l)
      out += fmt::format("    {}\n", lines[l]);
    if (lines.size() > kDifferencesShown) {
      out += fmt::format("    and {} more; --json has them all\n", lines.size() - kDifferencesShown);
    }
  }
  return out.empty() ? out : fmt::format("differences of the recipes to that of {}:\n{}", c.rows[c.baseline], out);
}

Value interval_value(const Interval& b) {
  return Value::map({{"mean", b.mean},
                     {"low", b.low},
                     {"high", b.high},
                     {"standard_error", b.standard_error},
                     {"p", b.p},
                     {"above", b.above},
                     {"prompts", static_cast<std::int64_t>(b.count)},
                     {"seeds", static_cast<std::int64_t>(b.seeds)}});
}

Value optional_value(const std::optional<double>& number) {
  return number ? Value(*number) : Value();
}

Value cell_value(const Comparison& c, std::size_t i, const Cell& cell) {
  const std::string& row = c.rows[i];
  Value out = Value::map({{"row", row},
                          {"seeds", static_cast<std::int64_t>(cell.seeds)},
                          {"prompts", static_cast<std::int64_t>(cell.prompts)},
                          {"failures", cell.failures ? Value(*cell.failures) : Value()},
                          {"mean", cell.mean},
                          {"deviation", optional_value(cell.deviation)}});
  if (!cell.difference) return out;
  const Difference& d = *cell.difference;
  Value difference = interval_value(d.mean);
  difference.set("over", c.rows[d.over]);
  difference.set("p_adjusted", d.p);
  difference.set("seeds", static_cast<std::int64_t>(d.seeds));
  difference.set("seeds_agreeing", static_cast<std::int64_t>(d.agreeing));
  difference.set("verdict", spelling(d.verdict));
  out.set("difference", std::move(difference));
  out.set("win_rate", interval_value(d.win_rate));
  return out;
}

}  // namespace

std::vector<std::string> verdicts(const Comparison& c) {
  std::vector<std::string> out;
  for (const Measure& measure : c.measures) {
    for (std::size_t i = 0; i < c.rows.size(); ++i) {
      if (measure.cells[i] && measure.cells[i]->difference) out.push_back(verdict_of(c, measure, i));
    }
  }
  return out;
}

std::vector<std::string> over_optimisation(const Comparison& c) {
  std::vector<std::string> out;
  for (const Tradeoff& t : c.tradeoffs) {
    if (!t.over_optimised()) continue;
    out.push_back(fmt::format(
        "over-optimised: {}: the {} is above that of {} by {:.3f} ({:+.3f} to {:+.3f}), the {} score below by {:.3f} "
        "({:+.3f} to {:+.3f})",
        c.rows[t.row], t.reward, c.rows[t.over], t.reward_gain.mean, t.reward_gain.low, t.reward_gain.high, t.score,
        -t.score_gain.mean, t.score_gain.low, t.score_gain.high));
  }
  if (out.empty() && !c.tradeoffs.empty()) {
    out.emplace_back(
        "over-optimised: none; in no row is the reward above and a judge's score below, each with its whole interval");
  }
  return out;
}

std::string method(const Comparison& c) {
  std::size_t shown = 0;
  bool seeds = false, prompts = false;
  for (const Measure& measure : c.measures) {
    for (const auto& cell : measure.cells) {
      if (!cell || !cell->difference) continue;
      ++shown;
      seeds = seeds || cell->difference->mean.seeds > 1;
      prompts = prompts || cell->difference->mean.seeds == 1;
    }
  }
  if (shown == 0) return {};
  std::string how = "intervals: ";
  if (seeds) how += "of two seeds or more, over seeds and prompts as samples both (Student's t, Clark's min F')";
  if (seeds && prompts) how += "; ";
  if (prompts) {
    how += fmt::format("of one seed, paired bootstrap by prompt, {} resamples",
                       show_count(static_cast<std::int64_t>(kResamples)));
  }
  return fmt::format("{}; p: two-sided, adjusted for the {} difference{} shown (Holm); repeated prompts count once",
                     how, shown, shown == 1 ? "" : "s");
}

std::string to_text(const Comparison& c, const std::string& title) {
  std::string out = fmt::format("{}: {} row{}; ± is the standard deviation over seeds\n", title, c.rows.size(),
                                c.rows.size() == 1 ? "" : "s");
  for (const Measure& measure : c.measures) {
    out += "\n" + to_text(to_table(c, measure));
  }
  out += "\n";
  for (const std::string& verdict : verdicts(c)) out += verdict + "\n";
  for (const std::string& sentence : over_optimisation(c)) out += sentence + "\n";
  if (const std::string how = method(c); !how.empty()) out += "\n" + how + "\n";
  for (const std::string& note : c.notes) out += "note: " + note + "\n";
  const std::string recipes = recipes_of(c);
  if (!recipes.empty()) out += "\n" + recipes;
  return printable(out);
}

std::string to_csv(const Comparison& c) {
  std::string out =
      "measure,row,seeds,prompts,failures,mean,deviation,baseline,difference,low,high,p,p_adjusted,win_rate,win_low,"
      "win_high,"
      "seeds_agreeing,verdict\n";
  const auto number = [](double v) { return to_json(Value(v)); };
  for (const Measure& measure : c.measures) {
    for (std::size_t i = 0; i < c.rows.size(); ++i) {
      if (!measure.cells[i]) continue;
      const Cell& cell = *measure.cells[i];
      out += fmt::format("{},{},{},{},{},{},{},", csv_field(measure.name), csv_field(c.rows[i]), cell.seeds,
                         cell.prompts, cell.failures ? std::to_string(*cell.failures) : "", number(cell.mean),
                         cell.deviation ? number(*cell.deviation) : "");
      if (cell.difference) {
        const Difference& d = *cell.difference;
        out +=
            fmt::format("{},{},{},{},{},{},{},{},{},{},{}\n", csv_field(c.rows[d.over]), number(d.mean.mean),
                        number(d.mean.low), number(d.mean.high), number(d.mean.p), number(d.p), number(d.win_rate.mean),
                        number(d.win_rate.low), number(d.win_rate.high), d.agreeing, spelling(d.verdict));
      } else {
        out += ",,,,,,,,,,\n";
      }
    }
  }
  return out;
}

Value to_value(const Comparison& c) {
  Value::List rows, measures, metrics, notes, tradeoffs;
  for (std::size_t i = 0; i < c.rows.size(); ++i) {
    Value::List lines;
    for (const std::string& line : c.recipes[i]) lines.emplace_back(line);
    rows.push_back(Value::map({{"row", c.rows[i]}, {"differs_in", Value(std::move(lines))}}));
  }
  for (const Measure& measure : c.measures) {
    Value::List cells;
    for (std::size_t i = 0; i < c.rows.size(); ++i) {
      if (measure.cells[i]) cells.push_back(cell_value(c, i, *measure.cells[i]));
    }
    measures.push_back(Value::map({{"measure", measure.name}, {"rows", std::move(cells)}}));
  }
  for (const MetricRow& metric : c.metrics) {
    Value::List cells;
    for (std::size_t i = 0; i < c.rows.size(); ++i) {
      if (!metric.cells[i]) continue;
      cells.push_back(Value::map({{"row", c.rows[i]},
                                  {"failures", metric.cells[i]->failures ? Value(*metric.cells[i]->failures) : Value()},
                                  {"mean", metric.cells[i]->mean},
                                  {"deviation", optional_value(metric.cells[i]->deviation)}}));
    }
    metrics.push_back(Value::map({{"metric", metric.name}, {"rows", std::move(cells)}}));
  }
  for (const Tradeoff& t : c.tradeoffs) {
    tradeoffs.push_back(Value::map({{"row", c.rows[t.row]},
                                    {"over", c.rows[t.over]},
                                    {"reward", t.reward},
                                    {"score", t.score},
                                    {"reward_gain", interval_value(t.reward_gain)},
                                    {"score_gain", interval_value(t.score_gain)},
                                    {"over_optimised", t.over_optimised()}}));
  }
  for (const std::string& note : c.notes) notes.emplace_back(note);
  return Value::map({{"baseline", c.rows[c.baseline]},
                     {"rows", std::move(rows)},
                     {"measures", std::move(measures)},
                     {"metrics", std::move(metrics)},
                     {"tradeoffs", std::move(tradeoffs)},
                     {"notes", std::move(notes)}});
}

}  // namespace plumb
