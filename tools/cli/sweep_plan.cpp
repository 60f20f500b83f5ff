#include "tools/cli/sweep_plan.h"

#include <fmt/format.h>

#include <iostream>

#include "framework/core/telemetry/output.h"
#include "framework/core/telemetry/text.h"

namespace plumb::cli {
namespace {

Value number(std::size_t n) {
  return static_cast<std::int64_t>(n);
}

std::size_t to_run(const Plan& plan) {
  std::size_t out = 0;
  for (const PlannedStage& stage : plan.stages) out += stage.state == StageState::run ? 1 : 0;
  return out;
}

void print_json(const Sweep& sweep, const SweepPlan& plan) {
  Value::List stages, arms;
  for (const SweepStage& stage : plan.stages) {
    stages.push_back(Value::map({{"stage", stage.name},
                                 {"kind", stage.kind},
                                 {"arms", number(stage.arms)},
                                 {"different", number(stage.different)},
                                 {"cached", number(stage.cached)},
                                 {"run", number(stage.to_run)}}));
  }
  for (std::size_t i = 0; i < sweep.arms.size(); ++i) {
    Value keys = Value::map();
    for (const PlannedStage& stage : plan.arms[i].stages) {
      if (stage.state != StageState::unneeded) keys.set(stage.spec->name, stage.manifest.key);
    }
    arms.push_back(Value::map({{"arm", sweep.arms[i].name},
                               {"row", sweep.arms[i].row},
                               {"run", number(to_run(plan.arms[i]))},
                               {"keys", keys}}));
  }
  unfiltered_output() << to_json(Value::map({{"arms", std::move(arms)},
                                             {"stages", std::move(stages)},
                                             {"different", number(plan.different)},
                                             {"cached", number(plan.cached)},
                                             {"run", number(plan.to_run)}}),
                                 false, 2)
                      << "\n";
}

}  // namespace

void print_sweep_plan(const Sweep& sweep, const SweepPlan& plan, bool json) {
  if (json) return print_json(sweep, plan);
  Table table{{"stage", "kind", "arms", "different", "cached", "to run"}, {}};
  std::size_t needed = 0;
  for (const SweepStage& stage : plan.stages) {
    needed += stage.arms;
    table.rows.push_back({stage.name, stage.kind, std::to_string(stage.arms), std::to_string(stage.different),
                          std::to_string(stage.cached), std::to_string(stage.to_run)});
  }
  std::cout << to_text(table, "") << "\n";
  std::cout << fmt::format(
      "{} arms need {} stages; {} of these are shared and {} are different: {} cached, {} to run\n", sweep.arms.size(),
      needed, needed - plan.different, plan.different, plan.cached, plan.to_run);
}

}  // namespace plumb::cli
