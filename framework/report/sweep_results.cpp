#include "framework/report/sweep_results.h"

#include <algorithm>
#include <map>

#include "framework/artifacts/disk.h"
#include "framework/evaluation/run_scores.h"
#include "framework/report/comparison_table.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

struct Line {
  const Value* arm;
  std::vector<std::pair<std::string, Metric>> measures;
};

// Of an arm with one model the metrics' own names; of several after the model.
std::vector<std::pair<std::string, Metric>> measures_of(const fs::path& folder) {
  std::vector<std::pair<std::string, Metric>> out;
  const Result<ScoresOf> scores = read_scores(folder);
  if (!scores) return out;  // an arm that evaluates nothing
  const RunScores& run = scores->runs.front();
  for (const ModelScores& model : run.models) {
    for (const Metric& metric : model.metrics) {
      out.emplace_back(run.models.size() > 1 ? model.model + ": " + metric.name : metric.name, metric);
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
  std::vector<std::string> varied, measured;
  for (const Line& line : lines) {
    for (const auto& entry : line.arm->at("values").as_map()) note(varied, entry.key);
    for (const auto& measure : line.measures) note(measured, measure.first);
  }
  std::string out = "arm,row,seed";
  for (const std::string& key : varied) out += "," + csv_field(key);
  out += ",status,seconds";
  for (const std::string& name : measured) out += "," + csv_field(name);
  out += "\n";
  for (const Line& line : lines) {
    out += field(line.arm->find("arm")) + "," + field(line.arm->find("row")) + "," + field(line.arm->find("seed"));
    for (const std::string& key : varied) out += "," + field(line.arm->at("values").find(key));
    out += "," + field(line.arm->find("status")) + "," + field(line.arm->find("seconds"));
    for (const std::string& name : measured) {
      const auto found =
          std::find_if(line.measures.begin(), line.measures.end(), [&](const auto& m) { return m.first == name; });
      out += "," + (found == line.measures.end() ? std::string() : to_json(Value(found->second.value)));
    }
    out += "\n";
  }
  return out;
}

Value json_of(const std::vector<Line>& lines) {
  Value::List arms;
  for (const Line& line : lines) {
    Value arm = *line.arm, measures = Value::map();
    for (const auto& [name, metric] : line.measures) {
      Value measure = Value::map({{"value", metric.value}});
      if (metric.low) measure.set("low", *metric.low);
      if (metric.high) measure.set("high", *metric.high);
      if (metric.count) measure.set("count", *metric.count);
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
