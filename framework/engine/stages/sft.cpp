// Stages `sft` and `language_model`: loss on the tokens of demonstrations or texts.
//
// Output: a model folder, or an adapter's (training_stage.h).
#include "framework/core/catalogue/settings.h"
#include "framework/engine/stages/body.h"
#include "framework/engine/stages/training_rows.h"
#include "framework/engine/stages/training_stage.h"
#include "framework/engine/training/token_objective.h"

namespace plumb {
namespace {

void run_sft(StageContext& context) {
  const SftSettings settings = sft_params().parse(context.params());
  const auto optimizer = make_optimizer(settings.optimizer, Optimizer::Batch::tokens, context).as<TokenOptimizer>();
  LanguageModel model = open_trainee(context, settings.training, settings.lora);

  const RowOptions options{.max_length = settings.training.max_length, .learn_all = settings.learn == "all"};
  auto data = demonstration_rows(context.input("data"), model, options, context);
  data.counts.tell(context, "data");
  TokenObjective objective(model, optimizer, std::move(data.rows));
  std::optional<TokenObjective> eval;
  if (const Artifact* held_out = context.optional_input("eval"); held_out != nullptr) {
    auto rows = demonstration_rows(*held_out, model, options, context);
    rows.counts.tell(context, "eval");
    eval.emplace(model, optimizer, std::move(rows.rows));
  }

  train_and_save(model, objective, shuffled(objective.size()), eval ? &*eval : nullptr, settings.training,
                 settings.merge, context);
}

void run_language_model(StageContext& context) {
  const LanguageModelSettings settings = language_model_params().parse(context.params());
  const auto optimizer = make_optimizer(settings.optimizer, Optimizer::Batch::tokens, context).as<TokenOptimizer>();
  LanguageModel model = open_trainee(context, settings.training, {});

  auto data = language_rows(context.input("data"), model, {.max_length = settings.training.max_length}, context);
  data.counts.tell(context, "data");
  TokenObjective objective(model, optimizer, std::move(data.rows));

  train_and_save(model, objective, shuffled(objective.size()), nullptr, settings.training, "none", context);
}

const BodyRegistration sft("sft", run_sft), language_model("language_model", run_language_model);

}  // namespace

}  // namespace plumb
