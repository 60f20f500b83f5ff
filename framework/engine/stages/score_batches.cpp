// Preferences under a ScoreOptimizer: a reward model.
#include "framework/engine/stages/training_task.h"
#include "framework/engine/training/score_objective.h"

namespace plumb {

template <>
TrainingTask task_on<ScoreOptimizer>(const Made<ScoreOptimizer>& optimizer, TrainingSetup& setup) {
  return task_on_rows(setup, [&](const std::string& param, const Artifact& data) {
    RowOptions how = setup.rows;
    how.use_sampled_ids = false;  // of another tokenizer
    auto rows = setup.rows_of(
        param, data, [&](const Artifact& artifact) { return pair_rows(artifact, setup.model, how, setup.context); });
    return std::make_unique<ScoreObjective>(setup.model, optimizer, std::move(rows));
  });
}

}  // namespace plumb
