#include <fmt/format.h>

#include <algorithm>

#include "framework/core/evaluation/evaluation_file.h"
#include "framework/core/report/scores.h"
#include "framework/core/report/sections.h"
#include "plumb/entries.h"

namespace plumb {
namespace {

Scores scores_of(const Artifact& artifact) {
  const std::vector<Metric> metrics = read_metrics(artifact.folder).value();
  const Value& params = artifact.manifest.params;
  std::map<std::string, std::string> names;
  if (const std::string judge = name_at(params, "judge"); !judge.empty()) names["judge"] = judge;
  return arrange_scores(metrics, entry<std::vector<std::string>>(params, "models").value_or(std::vector<std::string>{}),
                        name_at(params, "baseline"), names, read_failures(artifact.folder).value());
}

std::string how_measured(const ArtifactManifest& manifest) {
  const auto number = [&](std::string_view key) {
    const Value* found = manifest.summary.is_map() ? manifest.summary.find(key) : nullptr;
    if (found == nullptr && manifest.params.is_map()) found = manifest.params.find(key);
    return found == nullptr ? std::string("?") : show_value(*found);
  };
  return fmt::format(
      "{} held-out prompts × {} answers at temperature {}; ±: half of the 95 % interval over prompts, or the interval "
      "in brackets",
      number("prompts"), number("samples"), number("temperature"));
}

// What the reader of the numbers must know of the judgements behind them.
std::string show_failures(const std::map<std::string, std::int64_t>& failures) {
  const bool failed =
      std::any_of(failures.begin(), failures.end(), [](const auto& metric) { return metric.second > 0; });
  if (failed) return "; (n failed): judgements that gave nothing, left out of the number before it";
  return failures.empty() ? "" : "; no judgement failed";
}

}  // namespace

void add_scores(Report& report, const ReportItem& item) {
  const Scores scores = scores_of(item.artifact);
  const std::string how =
      how_measured(item.artifact.manifest) + show_failures(read_failures(item.artifact.folder).value());
  report.page.add(Heading{2, item.name});
  report.page.add(Paragraph{{how + "."}});
  if (scores.full.header.size() > 1) report.page.add(scores.full);
  Bullets said;
  for (const std::string& verdict : scores.verdicts) said.items.push_back({{verdict}});
  for (const Metric& metric : scores.others) said.items.push_back({{metric.name + ": " + show_metric(metric)}});
  if (!said.items.empty()) report.page.add(std::move(said));

  report.text += fmt::format("{}: {}\n\n", item.name, how);
  if (scores.brief.header.size() > 1) report.text += to_text(scores.brief) + "\n";
  for (const std::string& verdict : scores.verdicts) report.text += fmt::format("  {}\n", verdict);
  if (scores.brief.header.size() == 1) {  // all the numbers there are
    for (const Metric& metric : scores.others) {
      report.text += fmt::format("  {}: {}\n", metric.name, show_metric(metric));
    }
  }
  report.text += '\n';
}

}  // namespace plumb
