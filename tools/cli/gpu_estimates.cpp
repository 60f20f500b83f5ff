#include "tools/cli/gpu_estimates.h"

#include <fmt/format.h>

#include <array>
#include <iostream>
#include <set>

#include "framework/core/artifacts/disk.h"
#include "framework/core/pipeline/accelerator.h"
#include "framework/core/telemetry/progress.h"
#include "framework/core/telemetry/text.h"

namespace plumb::cli {
namespace {

constexpr std::array<int, 1> kGpus{1};  // one process on one device is all there is

struct Row {
  std::string stage;
  std::size_t times = 0;
  std::array<std::uint64_t, kGpus.size()> bytes{};
  std::array<double, kGpus.size()> seconds{};
  bool timed = true;
};

void add(Row& row, const PlannedStage& stage, const Plan& plan, const Accelerator& on) {
  ++row.times;
  for (std::size_t i = 0; i < kGpus.size(); ++i) {
    const auto estimated = estimate_on(stage, plan, kGpus[i], on);
    row.bytes[i] = std::max(row.bytes[i], estimated->bytes);
    if (estimated->seconds) row.seconds[i] += *estimated->seconds;
    row.timed = row.timed && estimated->seconds.has_value();
  }
}

std::vector<Row> rows_of(const std::vector<Plan>& plans, const Accelerator& on) {
  std::vector<Row> rows;
  std::set<std::string> seen;
  for (const Plan& plan : plans) {
    for (const PlannedStage& stage : plan.stages) {
      if (stage.state != StageState::run || !seen.insert(stage.manifest.key).second) continue;
      if (!estimate_on(stage, plan, 1, on)) continue;
      auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& r) { return r.stage == stage.spec->name; });
      if (row == rows.end()) row = rows.insert(row, Row{.stage = stage.spec->name});
      add(*row, stage, plan, on);
    }
  }
  return rows;
}

}  // namespace

void print_gpu_estimates(const std::vector<Plan>& plans) {
  const Accelerator on;
  Table table{{"stage", "times"}, {}};
  for (int gpus : kGpus) {
    table.header.push_back(fmt::format("on {}: each", gpus));
    table.header.emplace_back("time");
  }
  std::array<double, kGpus.size()> total{};
  for (const Row& row : rows_of(plans, on)) {
    table.rows.push_back({row.stage, std::to_string(row.times)});
    for (std::size_t i = 0; i < kGpus.size(); ++i) {
      total[i] += row.seconds[i];
      table.rows.back().push_back(in_bytes(row.bytes[i]) + (row.bytes[i] > on.memory ? " !" : ""));
      table.rows.back().push_back(row.timed ? show_duration(row.seconds[i]) : "?");
    }
  }
  table.rows.push_back({"together", ""});
  for (double seconds : total) table.rows.back().insert(table.rows.back().end(), {"", show_duration(seconds)});
  std::cout << "\n" << to_text(table, "");
  std::cout << fmt::format(
      "\none process on one device is all there is; estimates for a GPU with {} ({:.0f}e12 operations/s, of which "
      "{:.0f} % are reached), {} tokens a row, one pair "
      "a "
      "prompt;\n! does not fit, ? the number of rows is not known from the recipe\n",
      in_bytes(on.memory), on.operations / 1e12, 100 * on.reached, kAssumedTokens);
}

}  // namespace plumb::cli
