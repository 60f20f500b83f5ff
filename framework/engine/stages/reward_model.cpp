// Stage `reward_model`: a reward head on a language model's backbone (or an existing reward model) learns preferences.
//
// Output: a reward-model folder, HF's …ForSequenceClassification with one label and the head `score`; with
// LoRA an adapter's folder that brings the head (training_stage.h).
#include "framework/engine/stages/body.h"
#include "framework/engine/stages/training_task.h"

namespace plumb {
namespace {

void run(StageContext& context) {
  const RewardModelSettings settings = reward_model_params().parse(context.params());
  require_output(settings.optimizer, artifact_type::reward_model, context);
  run_training(
      context,
      {.optimizer = settings.optimizer, .lora = settings.lora, .merge = settings.merge, .training = settings.training},
      {.max_length = settings.training.max_length});
}

const BodyRegistration registered("reward_model", run, on_ranks);

}  // namespace

}  // namespace plumb
