#include "framework/core/sweep/sweep_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "framework/core/catalogue/stage.h"
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

std::string number_at(const Value& map, std::string_view key) {
  const Value* found = map.is_map() ? map.find(key) : nullptr;
  return found == nullptr || found->is_null() ? "" : show_value(*found);
}

// What a row's stages say that the recipe chose and what came of it, by column.
struct Chosen {
  double sum = 0;
  std::size_t seeds = 0;
  std::string text;
  [[nodiscard]] std::string shown() const {
    if (seeds == 0) return text;
    return show_count(static_cast<std::int64_t>(std::llround(sum / static_cast<double>(seeds))));
  }
};

std::map<std::string, Chosen> chosen_by(const SweepReport& report, const std::string& row,
                                        std::vector<std::string>& columns) {
  std::map<std::string, Chosen> out;
  for (const SweepArm& arm : report.arms) {
    if (arm.row != row) continue;
    for (const auto& [name, artifact] : arm.stages) {
      const StageKind* kind = find_stage_kind(artifact.manifest.stage_kind);
      if (kind == nullptr || !kind->report.choices) continue;
      for (const ShownChoice& choice : kind->report.choices(artifact.manifest)) {
        if (std::find(columns.begin(), columns.end(), choice.column) == columns.end()) columns.push_back(choice.column);
        Chosen& chosen = out[choice.column];
        chosen.sum += choice.number.value_or(0);
        chosen.seeds += choice.number ? 1 : 0;
        chosen.text = choice.text;
      }
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
  std::vector<std::string> columns;
  std::vector<std::map<std::string, Chosen>> chosen;
  for (const std::string& row : comparison.rows) chosen.push_back(chosen_by(report, row, columns));
  Table table{{"row"}, {}};
  table.header.insert(table.header.end(), columns.begin(), columns.end());
  for (const Measure& measure : comparison.measures) table.header.push_back(measure.name + " here");
  for (const std::string& name : names) table.header.push_back(name + ", published");
  for (std::size_t i = 0; i < comparison.rows.size(); ++i) {
    table.rows.push_back({comparison.rows[i]});
    for (const std::string& column : columns) table.rows.back().push_back(chosen[i][column].shown());
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

// Of the first arm of each row the stages that `wanted` takes.
std::vector<ReportItem> items_of(const SweepReport& report,
                                 const std::function<bool(const ArtifactManifest&)>& wanted) {
  std::vector<ReportItem> items;
  std::set<std::string> rows;
  for (const SweepArm& arm : report.arms) {
    if (!rows.insert(arm.row).second) continue;
    std::vector<const std::pair<std::string, Artifact>*> found;
    for (const auto& stage : arm.stages) {
      if (wanted(stage.second.manifest)) found.push_back(&stage);
    }
    for (const auto* stage : found) {
      items.push_back({found.size() == 1 ? arm.row : fmt::format("{} {}", arm.row, stage->first), stage->second});
    }
  }
  return items;
}

// What each kind of stage shows of the rows side by side, in the order of the data flow.
void add_kinds(Document& page, const SweepReport& report) {
  for (const StageKind& kind : stage_catalogue()) {
    if (!kind.report.by_row) continue;
    const std::vector<ReportItem> items =
        items_of(report, [&](const ArtifactManifest& manifest) { return manifest.stage_kind == kind.kind; });
    if (items.empty()) continue;
    kind.report.by_row(page, items, fmt::format("Of each row's first seed ({}).", report.arms.front().seed));
  }
}

void add_rows_answers(Document& page, const SweepReport& report) {
  std::vector<EvaluatedAnswer> answers;
  std::set<std::pair<std::string, std::string>> seen;
  for (const ReportItem& item :
       items_of(report, [](const ArtifactManifest& m) { return m.type == artifact_type::metrics; })) {
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
  add_kinds(page, report);
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
