#include <fmt/format.h>

#include <cmath>

#include "framework/core/artifacts/disk.h"
#include "framework/core/report/sections.h"
#include "framework/core/telemetry/row_account.h"

namespace plumb {
namespace {

// "reward-gap (eta 0.85, tau 1)": parameters that are not set are left out.
std::string named_policy(const Value& params) {
  const Value* policy = params.is_map() ? params.find("policy") : nullptr;
  if (policy == nullptr) return "?";
  if (policy->is_string()) return policy->as_string();
  std::string name, settings;
  for (const auto& [key, value] : policy->as_map()) {
    if (key == "name") {
      name = show_value(value);
    } else if (!value.is_null()) {
      settings += fmt::format("{}{} {}", settings.empty() ? "" : ", ", key, show_value(value));
    }
  }
  return settings.empty() ? name : fmt::format("{} ({})", name, settings);
}

const Value* entry(const Value& map, std::string_view key) {
  return map.is_map() ? map.find(key) : nullptr;
}

std::string kept_line(const ArtifactManifest& manifest) {
  const auto count = [&](std::string_view key) {
    const Value* found = entry(manifest.summary, key);
    return found == nullptr ? std::string("?") : show_value(*found);
  };
  std::string line = fmt::format("{} pairs from {} of {} prompts by {}", count("pairs"), count("prompts_used"),
                                 count("prompts"), named_policy(manifest.params));
  if (entry(manifest.summary, "delta") != nullptr) line += fmt::format(": reward gap > δ = {}", count("delta"));
  if (entry(manifest.summary, "overlong_dropped") != nullptr) {
    line += fmt::format("; {} answers too long for the reward model were left out", count("overlong_dropped"));
  }
  if (entry(manifest.summary, "overlong_cut") != nullptr) {
    line += fmt::format("; of {} answers too long for the reward model the end was read", count("overlong_cut"));
  }
  return line;
}

// The η and τ that the user chose, where they are what gives the threshold.
std::string chosen(const Value& params) {
  const Value* policy = entry(params, "policy");
  if (policy == nullptr || !policy->is_map()) return {};
  const Value *eta = entry(*policy, "eta"), *tau = entry(*policy, "tau"), *delta = entry(*policy, "delta");
  const bool itself = delta != nullptr && !delta->is_null();
  if (eta == nullptr || tau == nullptr || itself) return {};
  return fmt::format("η = {}, τ = {}: ", show_value(*eta), show_value(*tau));
}

std::vector<ChartMark> threshold_mark(const Value& gaps, const Value& params) {
  const Value* threshold = gaps.find("threshold");
  if (threshold == nullptr || threshold->is_null()) return {};
  return {{threshold->as_double(), fmt::format("{}δ = {:.3f}", chosen(params), threshold->as_double())}};
}

Value read_gaps(const Artifact& pairs) {
  return read_json(pairs.folder / "gaps.json").value();
}

// Bars, mean and deviation of `shown`, which is the raw gaps or their sigmoids.
Figure histogram(const std::string& file, const Value& gaps, const Value& shown) {
  Figure figure{file, {}, {}};
  Chart& chart = figure.chart;
  const double mean = shown.at("mean").as_double(), deviation = shown.at("deviation").as_double();
  chart.caption = fmt::format("All {} pairs of responses to one prompt: mean {:.3f}, standard deviation {:.3f}.",
                              show_value(gaps.at("pairs")), mean, deviation);
  chart.y = "pairs";
  const auto& edges = shown.at("histogram").at("edges").as_list();
  const auto& counts = shown.at("histogram").at("counts").as_list();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    chart.bars.push_back({edges[i].as_double(), edges[i + 1].as_double(), counts[i].as_double()});
  }
  chart.marks.push_back({mean, fmt::format("mean {:.3f}", mean)});
  return figure;
}

Figure raw_histogram(const ReportItem& item, const Value& gaps) {
  Figure figure = histogram(item.name + "-gaps", gaps, gaps);
  figure.chart.title = "Reward gaps";
  figure.chart.x = "reward gap";
  for (ChartMark& mark : threshold_mark(gaps, item.artifact.manifest.params)) figure.chart.marks.push_back(mark);
  return figure;
}

Figure paper_histogram(const ReportItem& item, const Value& gaps, const Value& sigmoid) {
  Figure figure = histogram(item.name + "-gaps-sigmoid", gaps, sigmoid);
  const double tau = sigmoid.at("tau").as_double();
  figure.chart.title = "Reward gaps through the sigmoid";
  figure.chart.x = fmt::format("σ(gap / τ), τ = {}", show_value(tau));
  if (const Value* threshold = gaps.find("threshold"); threshold != nullptr && !threshold->is_null()) {
    const double delta = threshold->as_double();
    figure.chart.marks.push_back({1 / (1 + std::exp(-delta / tau)),
                                  fmt::format("η = {:.3g}, δ = {:.3f}", 1 / (1 + std::exp(-delta / tau)), delta)});
  }
  return figure;
}

Figure curve(const ReportItem& item, const Value& gaps, const Value& thresholds) {
  Figure figure{item.name + "-thresholds", {}, {}};
  Chart& chart = figure.chart;
  chart.title = "Pairs that a threshold keeps";
  chart.caption = "Pairs whose reward gap is above δ = τ ln(η / (1 − η)).";
  chart.x = "δ", chart.y = "pairs kept";
  chart.lines.push_back({"pairs", {}});
  for (const Value& point : gaps.at("curve").as_list()) {
    chart.lines[0].points.emplace_back(point.at("delta").as_double(), point.at("pairs").as_double());
  }
  chart.marks = threshold_mark(gaps, item.artifact.manifest.params);
  figure.table.header = {"η at τ = 1", "δ", "pairs", "prompts with a pair"};
  for (const Value& row : thresholds.as_list()) {
    figure.table.rows.push_back({show_value(row.at("eta")), fmt::format("{:.3f}", row.at("delta").as_double()),
                                 show_value(row.at("pairs")), show_value(row.at("prompts"))});
  }
  return figure;
}

void add_audit(Document& page, const Value& summary) {
  const Value* reasons = entry(summary, "reasons");
  if (reasons == nullptr || !reasons->is_map()) return;
  Table table{{"why", "pairs looked at"}, {}};
  for (const auto& [reason, count] : reasons->as_map()) table.rows.push_back({reason, show_value(count)});
  page.add(Paragraph{{"The audit: why each pair was kept or not (audit.jsonl has them one by one)."}});
  page.add(std::move(table));
}

}  // namespace

Bullets summary_bullets(const Value& summary) {
  Bullets bullets;
  if (!summary.is_map()) return bullets;
  for (const auto& [key, value] : summary.as_map()) {
    if (!value.is_map() && key != RowAccount::key)
      bullets.items.push_back({{fmt::format("{}: {}", key, show_value(value))}});
  }
  return bullets;
}

std::optional<Figure> gap_histogram(const ReportItem& pairs) {
  const Value gaps = read_gaps(pairs.artifact);
  if (gaps.find("histogram") == nullptr) return std::nullopt;
  return raw_histogram(pairs, gaps);
}

std::optional<Figure> sigmoid_histogram(const ReportItem& pairs) {
  const Value gaps = read_gaps(pairs.artifact);
  const Value* sigmoid = gaps.find("sigmoid");  // earlier artifacts have none
  return sigmoid == nullptr ? std::nullopt : std::optional(paper_histogram(pairs, gaps, *sigmoid));
}

std::optional<Figure> threshold_curve(const ReportItem& pairs) {
  const Value gaps = read_gaps(pairs.artifact);
  const Value* thresholds = gaps.find("thresholds");
  return thresholds == nullptr ? std::nullopt : std::optional(curve(pairs, gaps, *thresholds));
}

void add_pairs(Report& report, const ReportItem& item) {
  const std::string line = kept_line(item.artifact.manifest);
  report.text += fmt::format("{}: {}\n", item.name, line);
  report.page.add(Heading{2, item.name});
  report.page.add(Paragraph{{line + "."}});
  report.page.add(summary_bullets(item.artifact.manifest.summary));
  add_audit(report.page, item.artifact.manifest.summary);

  if (std::optional<Figure> figure = sigmoid_histogram(item)) report.page.add(std::move(*figure));
  if (std::optional<Figure> figure = gap_histogram(item)) report.page.add(std::move(*figure));
  std::optional<Figure> figure = threshold_curve(item);
  if (!figure) return;
  Table table = figure->table;
  report.page.add(std::move(*figure));
  report.page.add(Folded{"Pairs at round values of η", std::move(table)});
}

}  // namespace plumb
