// Preferences under a ScoreOptimizer: a reward model.
#include "framework/engine/stages/training_task.h"
#include "framework/engine/training/score_objective.h"

namespace plumb {

template <>
TrainingTask task_on<ScoreOptimizer>(const Made<ScoreOptimizer>& optimizer, TrainingSetup& setup) {
  const auto objective_on = [&](const std::string& param) -> std::unique_ptr<Objective> {
    const Artifact* data = setup.data(param);
    if (data == nullptr) return nullptr;
    RowOptions how = setup.rows;
    how.use_sampled_ids = false;  // of another tokenizer
    auto rows = setup.rows_of(
        param, *data, [&](const Artifact& artifact) { return pair_rows(artifact, setup.model, how, setup.context); });
    return std::make_unique<ScoreObjective>(setup.model, optimizer, std::move(rows));
  };
  TrainingTask task{
      .objective = objective_on("data"), .eval = objective_on("eval"), .settings = setup.settings.training};
  task.run.order = shuffled(task.objective->size());
  return task;
}

}  // namespace plumb
