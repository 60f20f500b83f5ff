#include "tools/cli/gpu_estimates.h"

#include <fmt/format.h>

#include <iostream>
#include <set>

#include "framework/core/artifacts/disk.h"
#include "framework/core/telemetry/progress.h"
#include "framework/core/telemetry/text.h"

namespace plumb::cli {
namespace {

struct Row {
  std::string stage;
  std::size_t times = 0;
  std::uint64_t bytes = 0;
  double seconds = 0;
  bool timed = true;
};

void add(Row& row, const GpuEstimate& estimated) {
  ++row.times;
  row.bytes = std::max(row.bytes, estimated.bytes);
  row.seconds += estimated.seconds.value_or(0);
  row.timed = row.timed && estimated.seconds.has_value();
}

std::vector<Row> rows_of(const std::vector<Plan>& plans, const Accelerator& on) {
  std::vector<Row> rows;
  std::set<std::string> seen;
  for (const Plan& plan : plans) {
    for (const PlannedStage& stage : plan.stages) {
      if (stage.state != StageState::run || !seen.insert(stage.manifest.key).second) continue;
      const auto estimated = estimate_on(stage, plan, on);
      if (!estimated) continue;
      auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& r) { return r.stage == stage.spec->name; });
      if (row == rows.end()) row = rows.insert(row, Row{.stage = stage.spec->name});
      add(*row, *estimated);
    }
  }
  return rows;
}

}  // namespace

void print_gpu_estimates(const std::vector<Plan>& plans, const Accelerator& on) {
  Table table{{"stage", "times", "memory", "time"}, {}};
  double total = 0;
  for (const Row& row : rows_of(plans, on)) {
    total += row.seconds;
    table.rows.push_back({row.stage, std::to_string(row.times),
                          in_bytes(row.bytes) + (row.bytes > on.memory ? " !" : ""),
                          row.timed ? show_duration(row.seconds) : "?"});
  }
  table.rows.push_back({"together", "", "", show_duration(total)});
  std::cout << "\n" << to_text(table, "");
  std::cout << fmt::format(
      "\nestimates for one GPU with {} ({:.0f}e12 operations/s, of which {:.0f} % are reached), whatever devices the "
      "recipe names,\nand for one process: what several ranks would share is not counted. Memory: rows of max_length "
      "tokens, flash attention in bfloat16;\ntime: {} tokens a row, one pair a prompt. ! does not fit, ? the number of "
      "rows is not known from the recipe\n",
      in_bytes(on.memory), on.operations / 1e12, 100 * on.reached, kAssumedTokens);
}

}  // namespace plumb::cli
