// What one class of optimizers trains on: rows from the stage's artifacts, and the objective on them. The classes are
// those of plumb/tensor/optimizer.h; what is special to one stands in a file of its own, X_batches.cpp.
//
//   TrainingSetup setup(context, settings, {.max_length = settings.training.max_length});
//   TrainingTask task = task_of(setup);
//   train(task.run, task.settings, context);
//
// Thread contract: [lane].
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "framework/engine/stages/training_rows.h"
#include "framework/engine/stages/training_stage.h"

namespace plumb {

// Stage, settings, optimizer and model of a training.
class TrainingSetup {
 public:
  // Opens the optimizer and the input `model`, with a reward head for an optimizer that yields reward models.
  TrainingSetup(StageContext& context, TrainSettings settings, const RowOptions& rows);

  StageContext& context;
  const TrainSettings settings;
  const RowOptions rows;
  const Made<Optimizer> optimizer;
  LanguageModel model;

  // Whether the optimizer was registered with needs({…, `what`, …}).
  [[nodiscard]] bool needs(const std::string& what) const;
  // The input `param`, of a type that the optimizer's class learns from; throws Error(recipe) for another. Null: the
  // recipe names none.
  [[nodiscard]] const Artifact* data(const std::string& param) const;

  // read("data", artifact) gives TrainingRows<Rows>; their counts become part of the stage's account.
  template <class Read>
  auto rows_of(const std::string& param, const Artifact& artifact, Read&& read) const {
    auto out = read(artifact);
    out.counts.tell(context, param);
    return std::move(out.rows);
  }

  // Whether the reference is what training starts from, which is so unless `reference` names another model.
  [[nodiscard]] bool starts_at_reference() const;
  // The model named by `reference`, when it is not the start itself.
  [[nodiscard]] std::optional<LanguageModel> open_reference() const;
  // The reference of a policy that moves away from it while it is asked: none of its own only under an adapter.
  [[nodiscard]] std::optional<LanguageModel> open_frozen() const;
  void require_vocabulary(const LanguageModel& other) const;

 private:
  [[nodiscard]] LanguageModel open_frozen_at(const std::filesystem::path& folder) const;
};

struct TrainingTask {
  std::vector<std::shared_ptr<void>> kept;  // what the objectives refer to
  std::unique_ptr<Objective> objective, eval;
  TrainingRun run;            // `train`, `eval` and the model's tensors are filled in by task_of
  TrainingSettings settings;  // the stage's, unless steps are something else than batches of rows
  // For the summary, after training.
  std::vector<std::pair<std::string, std::function<std::optional<Value>()>>> told;
};

// One objective on the rows of `data`, one on those of `eval` where the recipe names it; batches are shuffled.
// make(param, artifact) gives a std::unique_ptr<Objective>.
template <class Make>
TrainingTask task_on_rows(TrainingSetup& setup, Make&& make) {
  const auto objective_on = [&](const std::string& param) -> std::unique_ptr<Objective> {
    const Artifact* data = setup.data(param);
    if (data == nullptr) return nullptr;
    return make(param, *data);
  };
  TrainingTask task{
      .objective = objective_on("data"), .eval = objective_on("eval"), .settings = setup.settings.training};
  task.run.order = shuffled(task.objective->size());
  return task;
}

// Defined in the class's own file: a class without one does not link.
template <class OptimizerClass>
TrainingTask task_on(const Made<OptimizerClass>& optimizer, TrainingSetup& setup);
// For the class that the setup's optimizer derives from.
TrainingTask task_of(TrainingSetup& setup);

// The whole stage: trains, saves, sums up.
void run_training(StageContext& context, TrainSettings settings, const RowOptions& rows);

}  // namespace plumb
