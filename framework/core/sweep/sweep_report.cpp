#include "framework/core/sweep/sweep_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "framework/core/evaluation/evaluation_file.h"
#include "framework/core/report/comparison_table.h"
#include "framework/core/report/sections.h"

namespace plumb {
namespace {

Bullets bullets_of(const std::vector<std::string>& lines) {
  Bullets bullets;
  for (const std::string& line : lines) bullets.items.push_back({{line}});
  return bullets;
}

void add_measures(Document& page, const Comparison& comparison) {
  page.add(Heading{2, "Measures"});
  page.add(
      Paragraph{{"± is the standard deviation over seeds. How the numbers came about: " + method(comparison) + "."}});
  for (const Measure& measure : comparison.measures) page.add(to_table(comparison, measure));
  page.add(bullets_of(verdicts(comparison)));
  if (!comparison.notes.empty()) page.add(bullets_of(comparison.notes));
}

std::string show_mean(const Cell& cell) {
  const std::int64_t failed = cell.failures.value_or(0);
  return fmt::format("{:.3f}", cell.mean) + (failed == 0 ? "" : fmt::format(" ({} failed)", show_count(failed)));
}

// What a row's selection gave and by which threshold, as the paper's tables have it: examples (mean over seeds), η, τ.
struct Chosen {
  double examples = 0;
  std::size_t seeds = 0;
  std::string eta, tau;
};

std::string number_at(const Value& map, std::string_view key) {
  const Value* found = map.is_map() ? map.find(key) : nullptr;
  return found == nullptr || found->is_null() ? "" : show_value(*found);
}

Chosen chosen_by(const SweepReport& report, const std::string& row) {
  Chosen out;
  for (const SweepArm& arm : report.arms) {
    if (arm.row != row) continue;
    for (const auto& [name, artifact] : arm.stages) {
      const ArtifactManifest& manifest = artifact.manifest;
      if (manifest.stage_kind != "select" || !manifest.summary.is_map()) continue;
      const Value* count = manifest.summary.find("pairs");
      if (count == nullptr) count = manifest.summary.find("demonstrations");
      if (count == nullptr) continue;
      out.examples += count->as_double();
      ++out.seeds;
      const Value* policy = manifest.params.is_map() ? manifest.params.find("policy") : nullptr;
      if (policy == nullptr) continue;
      out.eta = number_at(*policy, "eta"), out.tau = number_at(*policy, "tau");
    }
  }
  return out;
}

std::vector<std::string> published_names(const Value& rows) {
  std::vector<std::string> names;
  for (const auto& [row, numbers] : rows.as_map()) {
    for (const auto& [name, number] : numbers.as_map()) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  return names;
}

// In the paper's layout: what was measured here, and what the source says of its own setting.
void add_published(Document& page, const SweepReport& report) {
  const Comparison& comparison = report.comparison;
  const Value* rows = report.published.is_map() ? report.published.find("rows") : nullptr;
  if (rows == nullptr || !rows->is_map()) return;
  const std::vector<std::string> names = published_names(*rows);
  Table table{{"row", "sample size here", "η", "τ"}, {}};
  for (const Measure& measure : comparison.measures) table.header.push_back(measure.name + " here");
  for (const std::string& name : names) table.header.push_back(name + ", published");
  for (std::size_t i = 0; i < comparison.rows.size(); ++i) {
    const Chosen chosen = chosen_by(report, comparison.rows[i]);
    const double examples = chosen.examples / static_cast<double>(std::max<std::size_t>(chosen.seeds, 1));
    table.rows.push_back({comparison.rows[i],
                          chosen.seeds == 0 ? "" : show_count(static_cast<std::int64_t>(std::llround(examples))),
                          chosen.eta, chosen.tau});
    for (const Measure& measure : comparison.measures) {
      table.rows.back().push_back(measure.cells[i] ? show_mean(*measure.cells[i]) : "");
    }
    const Value* numbers = rows->find(comparison.rows[i]);
    for (const std::string& name : names) {
      table.rows.back().push_back(numbers == nullptr ? "" : number_at(*numbers, name));
    }
  }
  page.add(Heading{2, "Beside the published numbers"});
  const Value* source = report.published.find("source");
  page.add(
      Paragraph{{fmt::format("Published: {}. Other models and other judges: compare the order of the rows, not the "
                             "numbers.",
                             source == nullptr ? "no source given" : show_value(*source))}});
  page.add(std::move(table));
}

// The first arm of each row that has one, with its stages of an artifact type; `kind` may be empty.
std::vector<ReportItem> items_of(const SweepReport& report, const std::string& type, const std::string& kind) {
  std::vector<ReportItem> items;
  std::set<std::string> rows;
  for (const SweepArm& arm : report.arms) {
    if (!rows.insert(arm.row).second) continue;
    std::vector<const std::pair<std::string, Artifact>*> found;
    for (const auto& stage : arm.stages) {
      const ArtifactManifest& manifest = stage.second.manifest;
      if (manifest.type == type && (kind.empty() || manifest.stage_kind == kind)) found.push_back(&stage);
    }
    for (const auto* stage : found) {
      items.push_back({found.size() == 1 ? arm.row : fmt::format("{} {}", arm.row, stage->first), stage->second});
    }
  }
  return items;
}

// Rows that choose from the same responses have the same gaps: one figure with the threshold of each.
std::vector<Figure> joined(const std::vector<ReportItem>& pairs,
                           std::optional<Figure> (*figure_of)(const ReportItem&)) {
  const auto sets_a_threshold = [](const ChartMark& mark) { return mark.label.find("δ") != std::string::npos; };
  std::vector<std::pair<std::string, Figure>> figures;  // by what they draw
  for (const ReportItem& item : pairs) {
    std::optional<Figure> figure = figure_of(item);
    if (!figure) continue;
    const std::string drawn = to_csv(Chart{.lines = figure->chart.lines, .bars = figure->chart.bars});
    auto found = std::find_if(figures.begin(), figures.end(), [&](const auto& known) { return known.first == drawn; });
    if (found == figures.end()) {
      found = figures.insert(figures.end(), {drawn, *figure});
      std::erase_if(found->second.chart.marks, sets_a_threshold);
      found->second.chart.title += fmt::format(" of {}", item.name);
    } else {
      found->second.chart.title += ", " + item.name;
    }
    for (const ChartMark& mark : figure->chart.marks) {
      if (sets_a_threshold(mark)) found->second.chart.marks.push_back({mark.x, item.name + ": " + mark.label});
    }
  }
  std::vector<Figure> out;
  for (auto& known : figures) out.push_back(std::move(known.second));
  return out;
}

// Why pairs were kept or not, a column a reason.
void add_audits(Document& page, const std::vector<ReportItem>& pairs) {
  std::vector<Value> counts;
  std::set<std::string> names;
  for (const ReportItem& item : pairs) {
    const Value& summary = item.artifact.manifest.summary;
    const Value* reasons = summary.is_map() ? summary.find("reasons") : nullptr;
    counts.push_back(reasons != nullptr && reasons->is_map() ? *reasons : Value::map());
    for (const auto& [reason, count] : counts.back().as_map()) names.insert(reason);
  }
  if (names.empty()) return;
  Table table{{"row"}, {}};
  table.header.insert(table.header.end(), names.begin(), names.end());
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    table.rows.push_back({pairs[i].name});
    for (const std::string& name : names) table.rows.back().push_back(number_at(counts[i], name));
  }
  page.add(Paragraph{{"The audit: pairs of responses looked at, by why they were kept or not."}});
  page.add(std::move(table));
}

void add_selections(Document& page, const SweepReport& report) {
  const std::vector<ReportItem> pairs = items_of(report, artifact_type::pairs, "");
  if (pairs.empty()) return;
  page.add(Heading{2, "What the selections kept"});
  page.add(Paragraph{{fmt::format("Of each row's first seed ({}).", report.arms.front().seed)}});
  static constexpr std::pair<const char*, const char*> kColumns[] = {
      {"pairs", "pairs"},
      {"prompts_used", "prompts used"},
      {"delta", "δ"},
      {"gap_mean", "mean gap"},
      {"gap_deviation", "deviation"},
      {"longer_chosen_fraction", "chosen is longer"},
      {"reward_length_correlation", "reward with length"},
      {"tied_pairs", "tied pairs"},
      {"duplicate_responses", "duplicate responses"},
      {"normalise", "rewards normalised"}};
  Table table{{"row"}, {}};
  for (const auto& column : kColumns) table.header.emplace_back(column.second);
  for (const ReportItem& item : pairs) {
    table.rows.push_back({item.name});
    const Value& summary = item.artifact.manifest.summary;
    for (const auto& column : kColumns) {
      const Value* found = summary.is_map() ? summary.find(column.first) : nullptr;
      table.rows.back().push_back(found == nullptr ? "" : show_value(*found));
    }
  }
  page.add(std::move(table));
  add_audits(page, pairs);
  for (Figure& figure : joined(pairs, sigmoid_histogram)) page.add(std::move(figure));
  for (Figure& figure : joined(pairs, gap_histogram)) page.add(std::move(figure));
  for (Figure& figure : joined(pairs, threshold_curve)) page.add(std::move(figure));
}

void add_rows_answers(Document& page, const SweepReport& report) {
  std::vector<EvaluatedAnswer> answers;
  std::set<std::pair<std::string, std::string>> seen;
  for (const ReportItem& item : items_of(report, artifact_type::metrics, "")) {
    for (EvaluatedAnswer& answer : read_answers(item.artifact.folder).value()) {
      // A model that every row evaluates, such as a shared baseline, is shown once under its own name.
      if (!seen.insert({answer.prompt_id, item.name}).second) continue;
      answer.model = item.name;
      answers.push_back(std::move(answer));
    }
  }
  if (answers.empty() || (report.examples.count == 0 && report.examples.prompts.empty())) return;
  page.add(Heading{2, "Answers"});
  page.add(Paragraph{
      {fmt::format("{}; the first answer of each row's first seed ({}).",
                   report.examples.prompts.empty() ? "Prompts at even distances in the data" : "Chosen prompts",
                   report.arms.front().seed)}});
  add_answers(page, answers, report.examples);
}

// Shared stages ran once, whatever the number of arms.
void add_costs(Document& page, const SweepReport& report) {
  struct Cost {
    std::size_t stages = 0;
    double seconds = 0;
    std::uint64_t peak = 0;
  };
  std::vector<std::pair<std::string, Cost>> costs;
  std::set<std::string> keys;
  for (const SweepArm& arm : report.arms) {
    for (const auto& [name, artifact] : arm.stages) {
      const ArtifactManifest& manifest = artifact.manifest;
      if (!keys.insert(manifest.key).second) continue;
      auto found =
          std::find_if(costs.begin(), costs.end(), [&](const auto& c) { return c.first == manifest.stage_kind; });
      if (found == costs.end()) found = costs.insert(costs.end(), {manifest.stage_kind, {}});
      ++found->second.stages;
      found->second.seconds += manifest.seconds;
      found->second.peak = std::max(found->second.peak, manifest.peak_bytes);
    }
  }
  Table table{{"kind of stage", "ran", "seconds", "peak memory, MiB"}, {}};
  for (const auto& [kind, cost] : costs) {
    table.rows.push_back({kind, std::to_string(cost.stages), fmt::format("{:.1f}", cost.seconds),
                          fmt::format("{:.0f}", static_cast<double>(cost.peak) / (1 << 20))});
  }
  page.add(Heading{2, "Time and memory"});
  page.add(Paragraph{{fmt::format("{} arms; a stage that arms share ran once.", report.arms.size())}});
  page.add(std::move(table));
}

void add_recipes(Document& page, const Comparison& comparison) {
  page.add(Heading{2, "How the recipes differ"});
  page.add(Paragraph{{fmt::format("From that of {}.", comparison.rows[comparison.baseline])}});
  for (std::size_t i = 0; i < comparison.rows.size(); ++i) {
    if (comparison.recipes[i].empty()) continue;
    page.add(Heading{3, comparison.rows[i]});
    Bullets bullets;
    for (const std::string& line : comparison.recipes[i]) bullets.items.push_back({{Code{line}}});
    page.add(std::move(bullets));
  }
}

Document page_of(const SweepReport& report) {
  Document page{report.title, {}};
  // A sweep that evaluates nothing has no measures.
  const bool evaluated = !report.comparison.measures.empty();
  if (evaluated) {
    add_measures(page, report.comparison);
    add_published(page, report);
    add_tradeoffs(page, report.comparison);
  }
  add_selections(page, report);
  const std::vector<ReportItem> trained = items_of(report, artifact_type::model, "train");
  if (!trained.empty()) {
    page.add(Heading{2, "Training by row"});
    page.add(Paragraph{{fmt::format("Of each row's first seed ({}).", report.arms.front().seed)}});
    add_curves(page, trained);
  }
  add_rows_answers(page, report);
  add_costs(page, report);
  if (evaluated) add_recipes(page, report.comparison);
  return page;
}

}  // namespace

Result<Document> write_sweep_report(const SweepReport& report) {
  try {
    return page_of(report);
  } catch (const Error& of_a_section) {
    return of_a_section;
  }
}

}  // namespace plumb
