// Stage `reward_model`: a reward head on a language model's backbone (or an existing reward model) learns preferences.
//
// Output: a reward-model folder, HF's …ForSequenceClassification with one label and the head `score`; with
// LoRA an adapter's folder that brings the head (training_stage.h).
#include "framework/core/catalogue/settings.h"
#include "framework/engine/stages/body.h"
#include "framework/engine/stages/training_rows.h"
#include "framework/engine/stages/training_stage.h"
#include "framework/engine/training/score_objective.h"

namespace plumb {
namespace {

void run(StageContext& context) {
  const RewardModelSettings settings = reward_model_params().parse(context.params());
  const auto optimizer = make_optimizer(settings.optimizer, Optimizer::Batch::scores, context).as<ScoreOptimizer>();
  LanguageModel model = open_trainee(context, settings.training, settings.lora, /*reward=*/true);

  const RowOptions options{.max_length = settings.training.max_length, .use_sampled_ids = false};
  auto data = pair_rows(context.input("data"), model, options, context);
  data.counts.tell(context, "data");
  ScoreObjective objective(model, optimizer, std::move(data.rows));
  std::optional<ScoreObjective> eval;
  if (const Artifact* held_out = context.optional_input("eval"); held_out != nullptr) {
    auto rows = pair_rows(*held_out, model, options, context);
    rows.counts.tell(context, "eval");
    eval.emplace(model, optimizer, std::move(rows.rows));
  }

  train_and_save(model, objective, shuffled(objective.size()), eval ? &*eval : nullptr, settings.training,
                 settings.merge, context);
}

const BodyRegistration registered("reward_model", run);

}  // namespace

}  // namespace plumb
