#include "framework/core/kinds/select_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "framework/core/artifacts/disk.h"
#include "framework/core/report/sections.h"
#include "framework/core/telemetry/row_account.h"

namespace plumb {
namespace {

// "reward-gap", and its parameters that are set: {eta, 0.85}, {tau, 1}.
struct Policy {
  std::string name = "?";
  std::vector<std::pair<std::string, Value>> settings;
};

Policy policy_of(const Value& params) {
  Policy out;
  const Value* policy = params.is_map() ? params.find("policy") : nullptr;
  if (policy == nullptr) return out;
  if (policy->is_string()) out.name = policy->as_string();
  if (!policy->is_map()) return out;
  for (const auto& [key, value] : policy->as_map()) {
    if (key == "name") {
      out.name = show_value(value);
    } else if (!value.is_null()) {
      out.settings.emplace_back(key, value);
    }
  }
  return out;
}

// "reward-gap (eta 0.85, tau 1)"
std::string shown(const Policy& policy) {
  std::string settings;
  for (const auto& [key, value] : policy.settings) {
    settings += fmt::format("{}{} {}", settings.empty() ? "" : ", ", key, show_value(value));
  }
  return settings.empty() ? policy.name : fmt::format("{} ({})", policy.name, settings);
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
                                 count("prompts"), shown(policy_of(manifest.params)));
  if (entry(manifest.summary, "delta") != nullptr) line += fmt::format(": reward gap > δ = {}", count("delta"));
  if (entry(manifest.summary, "overlong_dropped") != nullptr) {
    line += fmt::format("; {} answers too long for the reward model were left out", count("overlong_dropped"));
  }
  if (entry(manifest.summary, "overlong_cut") != nullptr) {
    line += fmt::format("; of {} answers too long for the reward model the end was read", count("overlong_cut"));
  }
  return line;
}

// The policy that gave a threshold, where it is not a parameter of it itself.
std::string chosen_by(const Value& params, double threshold) {
  const Policy policy = policy_of(params);
  const bool itself = std::any_of(policy.settings.begin(), policy.settings.end(), [&](const auto& setting) {
    const Value& value = setting.second;
    return value.type() == Value::Type::real && value.as_double() == threshold;
  });
  return policy.settings.empty() || itself ? "" : shown(policy) + ": ";
}

std::vector<ChartMark> threshold_mark(const Value& gaps, const Value& params) {
  const Value* threshold = gaps.find("threshold");
  if (threshold == nullptr || threshold->is_null()) return {};
  const double delta = threshold->as_double();
  return {{delta, fmt::format("{}δ = {:.3f}", chosen_by(params, delta), delta)}};
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
    const Value* reasons = entry(summary, "reasons");
    counts.push_back(reasons != nullptr && reasons->is_map() ? *reasons : Value::map());
    for (const auto& [reason, count] : counts.back().as_map()) names.insert(reason);
  }
  if (names.empty()) return;
  Table table{{"row"}, {}};
  table.header.insert(table.header.end(), names.begin(), names.end());
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    table.rows.push_back({pairs[i].name});
    for (const std::string& name : names)
      table.rows.back().push_back(counts[i].find(name) == nullptr ? "" : show_value(*counts[i].find(name)));
  }
  page.add(Paragraph{{"The audit: pairs of responses looked at, by why they were kept or not."}});
  page.add(std::move(table));
}

}  // namespace

void add_selection(Report& report, const ReportItem& item) {
  if (item.artifact.manifest.type != artifact_type::pairs) return;
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

void add_selections(Document& page, const std::vector<ReportItem>& selections, const std::string& of) {
  std::vector<ReportItem> pairs;
  for (const ReportItem& item : selections) {
    if (item.artifact.manifest.type == artifact_type::pairs) pairs.push_back(item);
  }
  if (pairs.empty()) return;
  page.add(Heading{2, "What the selections kept"});
  page.add(Paragraph{{of}});
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
      const Value* found = entry(summary, column.first);
      table.rows.back().push_back(found == nullptr ? "" : show_value(*found));
    }
  }
  page.add(std::move(table));
  add_audits(page, pairs);
  for (Figure& figure : joined(pairs, sigmoid_histogram)) page.add(std::move(figure));
  for (Figure& figure : joined(pairs, gap_histogram)) page.add(std::move(figure));
  for (Figure& figure : joined(pairs, threshold_curve)) page.add(std::move(figure));
}

std::vector<ShownChoice> selection_choices(const ArtifactManifest& manifest) {
  const Value* count = entry(manifest.summary, "pairs");
  if (count == nullptr) count = entry(manifest.summary, "demonstrations");
  if (count == nullptr) return {};
  std::vector<ShownChoice> out{{"sample size here", count->as_double()}};
  for (const auto& [key, value] : policy_of(manifest.params).settings) out.push_back({key, {}, show_value(value)});
  return out;
}

}  // namespace plumb
