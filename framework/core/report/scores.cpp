#include "framework/core/report/scores.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "framework/core/evaluation/metric_name.h"

namespace plumb {
namespace {

struct Measure {
  std::string kind, measure;
  bool operator==(const Measure&) const = default;
};

// Parts of a mean: many columns, for the page and not for a terminal.
constexpr std::string_view category = "category/";
bool is_category(const Measure& measure) {
  return measure.measure.starts_with(category);
}

std::string with_spaces(std::string text) {
  std::replace(text.begin(), text.end(), '_', ' ');
  return text;
}

std::string title_of(const Measure& measure, const std::string& kind, const std::string& baseline) {
  if (measure.measure.empty()) return with_spaces(kind);
  if (measure.measure == "mean") return kind == "reward" ? kind : kind + " score";
  if (measure.measure == "difference") return fmt::format("{} over {}", kind, baseline);
  if (measure.measure == "win_rate") return fmt::format("{} wins over {}, %", kind, baseline);
  if (constexpr std::string_view over = "win_rate_over_"; measure.measure.starts_with(over)) {
    return fmt::format("{} wins over {}, %", kind, measure.measure.substr(over.size()));
  }
  if (is_category(measure)) return fmt::format("{} {}", kind, with_spaces(measure.measure.substr(category.size())));
  return fmt::format("{} {}", kind, with_spaces(measure.measure));
}

std::string verdict_of(const Metric& metric, const std::string& kind, const std::string& model,
                       const std::string& baseline) {
  const std::string what = kind == "reward" ? kind : kind + " score";
  const std::string interval =
      fmt::format("95 % interval of the paired difference {:+.3f} to {:+.3f}{}", *metric.low, *metric.high,
                  metric.count ? fmt::format(", {} prompts", show_count(*metric.count)) : "");
  if (*metric.low > 0 || *metric.high < 0) {
    return fmt::format("{}: {} is {} {} by {:.3f} ({})", what, model, metric.value > 0 ? "above" : "below", baseline,
                       std::abs(metric.value), interval);
  }
  return fmt::format("{}: {} and {} cannot be told apart ({})", what, model, baseline, interval);
}

}  // namespace

Scores arrange_scores(std::span<const Metric> metrics, const std::vector<std::string>& models,
                      const std::string& baseline, const std::map<std::string, std::string>& names,
                      const std::map<std::string, std::int64_t>& failures) {
  Scores scores;
  std::vector<Measure> measures;
  std::map<std::string, std::vector<std::pair<Measure, const Metric*>>> by_model;
  const auto name_of = [&](const std::string& kind) { return names.contains(kind) ? names.at(kind) : kind; };
  for (const Metric& metric : metrics) {
    const auto name = split_metric_name(metric.name, models);
    if (!name) {
      scores.others.push_back(metric);
      continue;
    }
    const std::string& model = name->model;
    const Measure measure{name->kind, name->measure};
    if (std::find(measures.begin(), measures.end(), measure) == measures.end()) measures.push_back(measure);
    by_model[model].emplace_back(measure, &metric);
    if (measure.measure == "difference" && metric.low && metric.high) {
      scores.verdicts.push_back(verdict_of(metric, name_of(measure.kind), model, baseline));
    }
  }
  // A kind's measures stand together, in the order in which the kinds were reported.
  std::stable_sort(measures.begin(), measures.end(), [&](const Measure& a, const Measure& b) {
    const auto first = [&](const Measure& m) {
      return std::find_if(metrics.begin(), metrics.end(),
                          [&](const Metric& metric) { return metric.name.starts_with(m.kind + "/"); });
    };
    return first(a) < first(b);
  });

  const auto has_win_rate = [&](const Measure& measure) {
    return std::find(measures.begin(), measures.end(), Measure{measure.kind, "win_rate"}) != measures.end();
  };
  const auto show = [&](const Metric& metric, const Measure& measure) {
    const auto failed = failures.find(metric.name);
    const bool some = failed != failures.end() && failed->second > 0;
    return show_metric(metric, measure.measure == "difference") +
           (some ? fmt::format(" ({} failed)", show_count(failed->second)) : "");
  };
  const auto fill = [&](Table& table, bool brief) {
    table.header = {"model"};
    for (const std::string& model : models) table.rows.push_back({model});
    for (const Measure& measure : measures) {
      if (brief && (is_category(measure) || (measure.measure == "difference" && has_win_rate(measure)))) continue;
      table.header.push_back(title_of(measure, name_of(measure.kind), baseline));
      for (std::size_t i = 0; i < models.size(); ++i) {
        const auto& known = by_model[models[i]];
        const auto found =
            std::find_if(known.begin(), known.end(), [&](const auto& entry) { return entry.first == measure; });
        table.rows[i].push_back(found == known.end() ? "" : show(*found->second, measure));
      }
    }
  };
  fill(scores.full, false);
  fill(scores.brief, true);
  return scores;
}

}  // namespace plumb
