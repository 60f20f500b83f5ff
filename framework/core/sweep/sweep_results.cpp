#include "framework/core/sweep/sweep_results.h"

#include <algorithm>
#include <map>

#include "framework/core/artifacts/disk.h"
#include "framework/core/evaluation/run_scores.h"
#include "framework/core/report/comparison_table.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

struct Measured {
  Metric metric;
  std::optional<std::int64_t> failures;  // judgements that are not in it
};

struct Line {
  const Value* arm;
  std::vector<std::pair<std::string, Measured>> measures;
};

// Of an arm with one model the metrics' own names; of several after the model.
std::vector<std::pair<std::string, Measured>> measures_of(const fs::path& folder) {
  std::vector<std::pair<std::string, Measured>> out;
  const Result<ScoresOf> scores = read_scores(folder);
  if (!scores) return out;  // an arm that evaluates nothing
  const RunScores& run = scores->runs.front();
  for (const ModelScores& model : run.models) {
    for (const Metric& metric : model.metrics) {
      const auto failed = model.metric_failures.find(metric.name);
      out.emplace_back(
          run.models.size() > 1 ? model.model + ": " + metric.name : metric.name,
          Measured{metric, failed == model.metric_failures.end() ? std::nullopt : std::optional(failed->second)});
    }
  }
  return out;
}

// Names in the order in which they first stand.
void note(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

std::string field(const Value* value) {
  if (value == nullptr || value->is_null()) return "";
  return csv_field(value->is_string() ? value->as_string() : to_json(*value));
}

std::string csv_of(const std::vector<Line>& lines) {
  std::vector<std::string> varied, measured, judged;
  for (const Line& line : lines) {
    for (const auto& entry : line.arm->at("values").as_map()) note(varied, entry.key);
    for (const auto& measure : line.measures) {
      note(measured, measure.first);
      if (measure.second.failures) note(judged, measure.first);
    }
  }
  std::string out = "arm,row,seed";
  for (const std::string& key : varied) out += "," + csv_field(key);
  out += ",status,seconds";
  for (const std::string& name : measured) out += "," + csv_field(name);
  for (const std::string& name : judged) out += "," + csv_field(name + " failures");
  out += "\n";
  for (const Line& line : lines) {
    out += field(line.arm->find("arm")) + "," + field(line.arm->find("row")) + "," + field(line.arm->find("seed"));
    for (const std::string& key : varied) out += "," + field(line.arm->at("values").find(key));
    out += "," + field(line.arm->find("status")) + "," + field(line.arm->find("seconds"));
    const auto find = [&](const std::string& name) {
      const auto found =
          std::find_if(line.measures.begin(), line.measures.end(), [&](const auto& m) { return m.first == name; });
      return found == line.measures.end() ? nullptr : &found->second;
    };
    for (const std::string& name : measured) {
      const Measured* found = find(name);
      out += "," + (found == nullptr ? std::string() : to_json(Value(found->metric.value)));
    }
    for (const std::string& name : judged) {
      const Measured* found = find(name);
      out += "," + (found == nullptr || !found->failures ? std::string() : std::to_string(*found->failures));
    }
    out += "\n";
  }
  return out;
}

Value json_of(const std::vector<Line>& lines) {
  Value::List arms;
  for (const Line& line : lines) {
    Value arm = *line.arm, measures = Value::map();
    for (const auto& [name, measured] : line.measures) {
      const Metric& metric = measured.metric;
      Value measure = Value::map({{"value", metric.value}});
      if (metric.low) measure.set("low", *metric.low);
      if (metric.high) measure.set("high", *metric.high);
      if (metric.count) measure.set("count", *metric.count);
      if (measured.failures) measure.set("failures", *measured.failures);
      measures.set(name, std::move(measure));
    }
    arm.set("measures", std::move(measures));
    arms.push_back(std::move(arm));
  }
  return Value::map({{"arms", std::move(arms)}});
}

}  // namespace

Result<void> write_sweep_results(const Value& sweep, const fs::path& folder) {
  std::vector<Line> lines;
  for (const Value& arm : sweep.at("arms").as_list()) {
    const bool done = arm.at("status") == Value("done");
    lines.push_back({&arm, {}});
    if (done) lines.back().measures = measures_of(folder / arm.at("arm").as_string());
  }
  if (Result<void> written = write_file(folder / "results.csv", csv_of(lines)); !written) return written;
  return write_file(folder / "results.json", to_json(json_of(lines), false, 1) + "\n");
}

}  // namespace plumb
