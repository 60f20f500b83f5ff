// Stage `train`: an alignment algorithm on pairs, preferences, demonstrations or prompts.
//
// Output: a model folder, or with LoRA an adapter's (training_stage.h).
#include "framework/engine/stages/body.h"
#include "framework/engine/stages/training_task.h"

namespace plumb {
namespace {

void run(StageContext& context) {
  TrainSettings settings = train_params().parse(context.params());
  require_output(settings.optimizer, artifact_type::model, context);
  const RowOptions rows{.max_length = settings.training.max_length};
  run_training(context, std::move(settings), rows);
}

const BodyRegistration registered("train", run, on_ranks);

}  // namespace

}  // namespace plumb
