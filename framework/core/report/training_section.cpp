#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>

#include "framework/core/artifacts/records_file.h"
#include "framework/core/report/sections.h"
#include "framework/core/telemetry/row_account.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

// What is worth a figure, in this order; `eval_` before a name is the same on held-out data. Figures 3 and 4 of the
// paper are rewards/accuracies and rewards/margins.
struct Curve {
  std::string_view key, title;
};
constexpr std::array kCurves{Curve{"loss", "Loss"},
                             Curve{"eval_loss", "Loss on held-out data"},
                             Curve{"accuracy", "Accuracy on preference pairs"},
                             Curve{"eval_accuracy", "Accuracy on held-out preference pairs"},
                             Curve{"eval_margin", "Reward margin of held-out preference pairs"},
                             Curve{"rewards/accuracies", "Reward accuracy (pairs whose chosen answer is preferred)"},
                             Curve{"eval_rewards/accuracies", "Reward accuracy on held-out pairs"},
                             Curve{"rewards/margins", "Reward margin"},
                             Curve{"eval_rewards/margins", "Reward margin on held-out pairs"},
                             Curve{"objective/scores", "Reward of the policy's own responses"},
                             Curve{"eval_objective/scores", "Reward on held-out prompts"},
                             Curve{"objective/kl", "KL divergence from the reference"},
                             Curve{"objective/entropy", "Entropy of the policy"}};

using Points = std::vector<std::pair<double, double>>;

std::map<std::string, Points> read_curves(const fs::path& folder) {
  std::map<std::string, Points> curves;
  std::error_code ignored;
  if (!fs::exists(folder / "metrics.jsonl", ignored)) return curves;
  for_each_row(folder / "metrics.jsonl", [&](const Value& row, const std::string&) -> Result<void> {
    const Value* step = row.find("step");
    if (step == nullptr) return {};
    for (const auto& [key, value] : row.as_map()) {
      if (value.type() == Value::Type::real || value.type() == Value::Type::integer)
        curves[key].emplace_back(step->as_double(), value.as_double());
    }
    return {};
  }).value();
  return curves;
}

// At most `rows` of the points, evenly spaced, the first and the last among them.
Points thin(const Points& all, std::size_t rows) {
  if (all.size() <= rows) return all;
  Points kept;
  for (std::size_t i = 0; i < rows; ++i) kept.push_back(all[i * (all.size() - 1) / (rows - 1)]);
  return kept;
}

struct Trained {
  const ReportItem* item;
  std::map<std::string, Points> curves;
};

// The kind of stage, and the loss where that is not its name.
std::string what_is_learnt(const ArtifactManifest& manifest) {
  const Value* optimizer = manifest.params.is_map() ? manifest.params.find("optimizer") : nullptr;
  if (optimizer != nullptr && optimizer->is_map()) optimizer = optimizer->find("name");
  if (optimizer == nullptr || !optimizer->is_string() || manifest.stage_kind == optimizer->as_string())
    return manifest.stage_kind;
  return manifest.stage_kind + " " + optimizer->as_string();
}

// A warning where weights hold less than 99 % of an adapter's update, or more than 101 %.
std::optional<std::string> lost_by_merging(const Value& summary, const char* key, const char* holder) {
  const Value* merged = summary.is_map() ? summary.find(key) : nullptr;
  if (merged == nullptr) return std::nullopt;
  const double survives = merged->at("survives").as_double();
  if (std::abs(survives - 1) <= 0.01) return std::nullopt;
  return fmt::format(
      "Warning: of the adapter's update {:.1f} % survived in the {} weights of {} (relative error {:.2g}).",
      100 * survives, merged->at("dtype").as_string(), holder, merged->at("error").as_double());
}

Figure figure_of(const Curve& curve, const std::string& about, const std::vector<const Trained*>& models) {
  std::string file(curve.key);
  file = fmt::format("training-{}{}{}", file, about.empty() ? "" : "-", about);
  std::replace_if(
      file.begin(), file.end(), [](char c) { return c == '/' || c == ' '; }, '-');
  Figure figure{file, {}, {}};
  figure.chart.title = about.empty() ? std::string(curve.title) : fmt::format("{} of {}", curve.title, about);
  figure.chart.x = "update", figure.chart.y = std::string(curve.key);
  figure.table.header = {"model", "update", std::string(curve.key)};
  for (const Trained* model : models) {
    const Points& points = model->curves.at(std::string(curve.key));
    figure.chart.lines.push_back({model->item->name, points});
    for (const auto& [step, value] : thin(points, 8)) {
      figure.table.rows.push_back({model->item->name, fmt::format("{:.0f}", step), fmt::format("{:.4g}", value)});
    }
  }
  return figure;
}

}  // namespace

// Losses of different algorithms are different quantities: a figure for each. Everything else is one figure.
void add_curves(Document& page, const std::vector<ReportItem>& items) {
  std::vector<Trained> models;
  for (const ReportItem& item : items) models.push_back({&item, read_curves(item.artifact.folder)});
  for (const Curve& curve : kCurves) {
    const bool by_kind = curve.key.ends_with("loss");
    std::map<std::string, std::vector<const Trained*>> groups;
    for (const Trained& model : models) {
      const auto found = model.curves.find(std::string(curve.key));
      if (found == model.curves.end() || found->second.size() < 2) continue;
      groups[by_kind ? what_is_learnt(model.item->artifact.manifest) : ""].push_back(&model);
    }
    for (const auto& [kind, group] : groups) page.add(figure_of(curve, kind, group));
  }
}

void add_training(Report& report, const std::vector<ReportItem>& models) {
  if (models.empty()) return;
  report.page.add(Heading{2, "Training"});
  for (const ReportItem& item : models) {
    report.page.add(Heading{3, item.name});
    report.page.add(Paragraph{{"Stage ", Code{item.artifact.manifest.stage_kind}, "."}});
    report.page.add(summary_bullets(item.artifact.manifest.summary));
    for (const auto& [key, holder] : {std::pair{"merged", "merged/"}, {"start_merged", "the start of training"}}) {
      if (const auto lost = lost_by_merging(item.artifact.manifest.summary, key, holder)) {
        report.page.add(Paragraph{{*lost}});
      }
    }
  }
  add_curves(report.page, models);

  report.page.add(Heading{2, "Where the models are"});
  report.page.add(
      Paragraph{{"Each is a folder that Hugging Face libraries load, too; one with an adapter is PEFT's, "
                 "its base in ",
                 Code{"base"}, "."}});
  Bullets places;
  for (const ReportItem& item : models)
    places.items.push_back({{item.name + ": ", Code{item.artifact.folder.string()}}});
  report.page.add(std::move(places));
  const auto last = std::find_if(models.rbegin(), models.rend(), [](const ReportItem& item) {
    return item.artifact.manifest.type == artifact_type::model;
  });
  if (last == models.rend()) return;
  report.page.add(Paragraph{{"Talk to one: ", Code{"plumb chat '" + last->artifact.folder.string() + "'"}}});
}

Bullets summary_bullets(const Value& summary) {
  Bullets bullets;
  if (!summary.is_map()) return bullets;
  for (const auto& [key, value] : summary.as_map()) {
    if (!value.is_map() && key != RowAccount::key)
      bullets.items.push_back({{fmt::format("{}: {}", key, show_value(value))}});
  }
  return bullets;
}

void add_summary(Report& report, const ReportItem& item) {
  report.page.add(Heading{2, item.name});
  report.page.add(Paragraph{{"Stage ", Code{item.artifact.manifest.stage_kind}, "."}});
  report.page.add(summary_bullets(item.artifact.manifest.summary));
}

void add_rows(Report& report, const std::vector<std::pair<std::string, ArtifactManifest>>& stages) {
  Bullets rows;
  for (const auto& [name, manifest] : stages) {
    for (const std::string& line : RowAccount::of_summary(manifest.summary).lines())
      rows.items.push_back({{name + ": " + line}});
  }
  if (rows.items.empty()) return;
  report.page.add(Heading{2, "Rows that were not used as they were"});
  report.page.add(std::move(rows));
}

void add_timings(Report& report, const std::vector<ReportItem>& items) {
  if (items.empty()) return;
  report.page.add(Heading{2, "Time and memory"});
  Table table{{"stage", "kind", "seconds", "peak memory, MiB"}, {}};
  double seconds = 0;
  for (const ReportItem& item : items) {
    const ArtifactManifest& manifest = item.artifact.manifest;
    seconds += manifest.seconds;
    table.rows.push_back({item.name, manifest.stage_kind, fmt::format("{:.1f}", manifest.seconds),
                          fmt::format("{:.0f}", static_cast<double>(manifest.peak_bytes) / (1 << 20))});
  }
  report.page.add(
      Paragraph{{fmt::format("The stages shown took {:.1f} s when they ran; memory is the process's peak "
                             "at the end of the stage.",
                             seconds)}});
  report.page.add(std::move(table));
}

}  // namespace plumb
