// Stages `sft` and `language_model`: loss on the tokens of demonstrations or texts.
//
// Output: a model folder, or an adapter's (training_stage.h).
#include "framework/engine/stages/body.h"
#include "framework/engine/stages/training_task.h"
#include "framework/engine/training/trained_tensors.h"

namespace plumb {
namespace {

void run_sft(StageContext& context) {
  const SftSettings settings = sft_params().parse(context.params());
  require_batches(settings.optimizer, TokenOptimizer::batch_info(), context);
  run_training(
      context,
      {.optimizer = settings.optimizer, .lora = settings.lora, .merge = settings.merge, .training = settings.training},
      {.max_length = settings.training.max_length, .learn_all = settings.learn == "all"});
}

void run_language_model(StageContext& context) {
  const LanguageModelSettings settings = language_model_params().parse(context.params());
  require_batches(settings.optimizer, TokenOptimizer::batch_info(), context);
  const auto optimizer = make_optimizer(settings.optimizer, context).as<TokenOptimizer>();
  LanguageModel model = open_trainee(context, settings.training, {});

  auto data = language_rows(context.input("data"), model, {.max_length = settings.training.max_length}, context);
  data.counts.tell(context, "data");
  TokenObjective objective(model, optimizer, std::move(data.rows));

  const TrainingRun run{.tensors = trained_tensors(model),
                        .train = &objective,
                        .order = shuffled(objective.size()),
                        .in_parts = trained_in_parts(model, settings.training)};
  const TrainingResult result = train(run, settings.training, context);
  if (run.in_parts != nullptr) context.summarise("layers_in_parts", true);
  save_trainee(model, "none", context);
  summarise_training(result, context);
}

const BodyRegistration sft("sft", run_sft, on_ranks), language_model("language_model", run_language_model, on_ranks);

}  // namespace

}  // namespace plumb
