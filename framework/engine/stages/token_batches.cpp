// Demonstrations under a TokenOptimizer.
#include "framework/engine/stages/training_task.h"

namespace plumb {

template <>
TrainingTask task_on<TokenOptimizer>(const Made<TokenOptimizer>& optimizer, TrainingSetup& setup) {
  return task_on_rows(setup, [&](const std::string& param, const Artifact& data) {
    auto rows = setup.rows_of(param, data, [&](const Artifact& artifact) {
      return demonstration_rows(artifact, setup.model, setup.rows, setup.context);
    });
    return std::make_unique<TokenObjective>(setup.model, optimizer, std::move(rows));
  });
}

}  // namespace plumb
