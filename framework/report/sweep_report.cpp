#include "framework/report/sweep_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "framework/evaluation/evaluation_file.h"
#include "framework/report/comparison_table.h"
#include "framework/report/sections.h"

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

// Beside every row that has published numbers: what was measured here, and what the source says of its own setting.
void add_published(Document& page, const Comparison& comparison, const Value& published) {
  const Value* rows = published.is_map() ? published.find("rows") : nullptr;
  if (rows == nullptr || !rows->is_map()) return;
  std::vector<std::string> names;
  for (const auto& [row, numbers] : rows->as_map()) {
    for (const auto& [name, number] : numbers.as_map()) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  Table table{{"row"}, {}};
  for (const Measure& measure : comparison.measures) table.header.push_back(measure.name + " here");
  for (const std::string& name : names) table.header.push_back(name + ", published");
  for (std::size_t i = 0; i < comparison.rows.size(); ++i) {
    table.rows.push_back({comparison.rows[i]});
    for (const Measure& measure : comparison.measures) {
      table.rows.back().push_back(measure.cells[i] ? fmt::format("{:.3f}", measure.cells[i]->mean) : "");
    }
    const Value* numbers = rows->find(comparison.rows[i]);
    for (const std::string& name : names) {
      const Value* number = numbers == nullptr ? nullptr : numbers->find(name);
      table.rows.back().push_back(number == nullptr ? "" : show_value(*number));
    }
  }
  page.add(Heading{2, "Beside the published numbers"});
  const Value* source = published.find("source");
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
std::vector<Figure> gap_figures(const std::vector<ReportItem>& pairs) {
  std::vector<std::pair<std::string, Figure>> figures;  // by their bars
  for (const ReportItem& item : pairs) {
    std::optional<Figure> figure = gap_histogram(item);
    if (!figure) continue;
    const std::string bars = to_csv(Chart{.bars = figure->chart.bars});
    auto found = std::find_if(figures.begin(), figures.end(), [&](const auto& known) { return known.first == bars; });
    if (found == figures.end()) {
      found = figures.insert(figures.end(), {bars, *figure});
      found->second.chart.marks.clear();
      found->second.chart.title += fmt::format(" of {}", item.name);
    } else {
      found->second.chart.title += ", " + item.name;
    }
    for (const ChartMark& mark : figure->chart.marks) {
      if (mark.label.starts_with("δ")) found->second.chart.marks.push_back({mark.x, item.name + ": " + mark.label});
    }
  }
  std::vector<Figure> out;
  for (auto& known : figures) out.push_back(std::move(known.second));
  return out;
}

void add_selections(Document& page, const SweepReport& report) {
  const std::vector<ReportItem> pairs = items_of(report, artifact_type::pairs, "");
  if (pairs.empty()) return;
  page.add(Heading{2, "What the selections kept"});
  page.add(Paragraph{{fmt::format("Of each row's first seed ({}).", report.arms.front().seed)}});
  static constexpr std::pair<const char*, const char*> kColumns[] = {{"pairs", "pairs"},
                                                                     {"prompts_used", "prompts used"},
                                                                     {"delta", "δ"},
                                                                     {"gap_mean", "mean gap"},
                                                                     {"gap_deviation", "deviation"},
                                                                     {"longer_chosen_fraction", "chosen is longer"},
                                                                     {"duplicate_responses", "duplicate responses"}};
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
  for (Figure& figure : gap_figures(pairs)) page.add(std::move(figure));
}

// Every arm as a point: where a reward model is exploited, its reward rises and the judge's score falls.
void add_against(Document& page, const Comparison& comparison) {
  const auto reward = std::find_if(comparison.measures.begin(), comparison.measures.end(),
                                   [](const Measure& m) { return m.name == "reward"; });
  if (reward == comparison.measures.end()) return;
  for (const Measure& measure : comparison.measures) {
    if (&measure == &*reward) continue;
    Figure figure{"reward-against-" + measure.name, {}, {}};
    figure.chart.title = fmt::format("Reward and {} score", measure.name);
    figure.chart.caption =
        "A point a row, mean over seeds. A row at the right of another and below it has learnt to "
        "please the reward model rather than the judge (over-optimisation).";
    figure.chart.x = "reward", figure.chart.y = measure.name;
    for (std::size_t i = 0; i < comparison.rows.size(); ++i) {
      if (!measure.cells[i] || !reward->cells[i]) continue;
      figure.chart.lines.push_back({comparison.rows[i], {{reward->cells[i]->mean, measure.cells[i]->mean}}});
    }
    if (figure.chart.lines.empty()) continue;
    page.add(Heading{2, figure.chart.title});
    page.add(std::move(figure));
  }
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
  if (answers.empty() || report.examples == 0) return;
  page.add(Heading{2, "Answers"});
  page.add(Paragraph{{fmt::format("Of each row's first seed ({}).", report.arms.front().seed)}});
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

}  // namespace

Document write_sweep_report(const SweepReport& report) {
  Document page{report.title, {}};
  add_measures(page, report.comparison);
  add_published(page, report.comparison, report.published);
  add_against(page, report.comparison);
  add_selections(page, report);
  const std::vector<ReportItem> trained = items_of(report, artifact_type::model, "train");
  if (!trained.empty()) {
    page.add(Heading{2, "Training by row"});
    page.add(Paragraph{{fmt::format("Of each row's first seed ({}).", report.arms.front().seed)}});
    add_curves(page, trained);
  }
  add_rows_answers(page, report);
  add_costs(page, report);
  add_recipes(page, report.comparison);
  return page;
}

}  // namespace plumb
