// The policy's own answers under an OnlineOptimizer. A step is a batch of answers; one visit to it is an epoch of the
// trainer's plan, a mini-batch an update.
#include <cmath>

#include "framework/engine/distributed/collective.h"
#include "framework/engine/stages/reward.h"
#include "framework/engine/stages/training_task.h"

namespace plumb {

namespace {

std::vector<PromptRow> prompts(const std::string& param, TrainingSetup& setup, const RolloutParams& rollout) {
  const Artifact* data = setup.data(param);
  if (data == nullptr) return {};
  return setup.rows_of(param, *data, [&](const Artifact& artifact) {
    return prompt_rows(artifact, setup.model, rollout.max_new_tokens, setup.rows, setup.context);
  });
}

// Steps of the trainer are updates of the optimizer, several to a batch of answers.
TrainingSettings by_update(const TrainingSettings& settings, const RolloutParams& rollout, std::int64_t steps,
                           std::int64_t per_step) {
  TrainingSettings out = settings;
  out.max_steps = steps * per_step;
  out.batch_size = settings.batch_size / rollout.mini_batches;
  return out;
}

}  // namespace

template <>
TrainingTask task_on<OnlineOptimizer>(const Made<OnlineOptimizer>& optimizer, TrainingSetup& setup) {
  const TrainSettings& settings = setup.settings;
  const RolloutParams rollout = rollout_params().parse(settings.rollout);
  std::vector<PromptRow> rows = prompts("data", setup, rollout);
  const auto held_out = std::make_shared<std::vector<PromptRow>>(prompts("eval", setup, rollout));
  const double count = static_cast<double>(rows.size());
  if (!settings.reward) {
    throw Error(ErrorCode::recipe,
                "reward: an optimizer that answers prompts needs rewards; give `reward_model`, or `reward` with a "
                "component that needs no model");
  }
  std::shared_ptr<StageReward> reward;  // rank 0 scores
  if (ranks().leads()) reward = std::make_shared<StageReward>(*settings.reward, setup.context);
  const bool referenced = setup.needs("reference");
  std::shared_ptr<LanguageModel> frozen, critic;
  if (referenced) {
    if (auto opened = setup.open_frozen()) frozen = std::make_shared<LanguageModel>(std::move(*opened));
  }
  if (setup.context.optional_input("value_model") != nullptr) {
    critic = std::make_shared<LanguageModel>(
        open_trainee_of("value_model", setup.context, settings.training, settings.lora));
    setup.require_vocabulary(*critic);
  }
  LanguageModel* reference = frozen ? frozen.get() : &setup.model;
  auto objective = std::make_unique<OnlineObjective>(
      OnlinePlayers{setup.model, referenced ? reference : nullptr, optimizer, setup.needs("values"), critic.get()},
      std::move(rows), rollout, settings.training.batch_size,
      [reward](std::span<const ResponseGroup> groups) {
        const std::int64_t cut = reward->count_overlong(groups);
        return ScoredAnswers(reward->score(groups), cut);
      },
      setup.context, setup.context.random());

  const std::int64_t per_step = objective->updates_per_step();
  const double per_epoch = count / static_cast<double>(objective->prompts_per_step());
  std::int64_t steps = settings.training.max_steps;
  if (steps == 0) steps = static_cast<std::int64_t>(std::ceil(settings.training.num_train_epochs * per_epoch));
  TrainingTask task{.kept = {frozen, critic}, .settings = by_update(settings.training, rollout, steps, per_step)};
  task.run = {.tensors = objective->value_tensors(),
              .order = shuffled(objective->size()),
              .updates_per_step = per_step,
              .epochs_per_update = 1 / (per_epoch * static_cast<double>(per_step))};
  if (!held_out->empty())
    task.run.measure = [online = objective.get(), held_out] { return online->measure(*held_out); };
  task.told.emplace_back("steps", [steps]() -> std::optional<Value> { return Value(steps); });
  task.objective = std::move(objective);
  return task;
}

}  // namespace plumb
