// Demonstrations under a TokenOptimizer.
#include "framework/engine/stages/training_task.h"

namespace plumb {

template <>
TrainingTask task_on<TokenOptimizer>(const Made<TokenOptimizer>& optimizer, TrainingSetup& setup) {
  const auto objective_on = [&](const std::string& param) -> std::unique_ptr<Objective> {
    const Artifact* data = setup.data(param);
    if (data == nullptr) return nullptr;
    auto rows = setup.rows_of(param, *data, [&](const Artifact& artifact) {
      return demonstration_rows(artifact, setup.model, setup.rows, setup.context);
    });
    return std::make_unique<TokenObjective>(setup.model, optimizer, std::move(rows));
  };
  TrainingTask task{
      .objective = objective_on("data"), .eval = objective_on("eval"), .settings = setup.settings.training};
  task.run.order = shuffled(task.objective->size());
  return task;
}

}  // namespace plumb
