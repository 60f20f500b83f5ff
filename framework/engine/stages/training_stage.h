// What the stages that train have in common: opening the model, handing its tensors to the trainer, saving, summing up.
//
//   LanguageModel model = open_trainee(context, settings.training, settings.lora);
//   … make an objective …
//   const TrainingResult result = train({.tensors = trained_tensors(model), …}, settings.training, context);
//   save_trainee(model, settings.merge, context);
//   summarise_training(result, context);
//
// Output: a full model folder. With LoRA an adapter's folder, PEFT's: adapter_config.json, adapter_model.safetensors,
// the tokenizer's files, and base/, links to the files of the model it stands on; every consumer opens it as any model,
// without rounding the update to the base's type. Unless `merge` is none, merged/ holds the same as one whole model.
// Thread contract: [lane].
#pragma once

#include "framework/core/catalogue/settings.h"
#include "framework/core/catalogue/stage.h"
#include "framework/core/components/made.h"
#include "framework/engine/modeling/language_model.h"
#include "framework/engine/training/trainer.h"
#include "plumb/tensor/optimizer.h"

namespace plumb {

// The stage's input `model`, ready for training: all weights, or an adapter when `lora` is a map. `reward` gives it a
// reward head: the folder's own, else a fresh one.
LanguageModel open_trainee(StageContext& context, const TrainingSettings& settings, const Value& lora,
                           bool reward = false);
// The same for the model that another input of the stage names; no summary.
LanguageModel open_trainee_of(const std::string& param, StageContext& context, const TrainingSettings& settings,
                              const Value& lora);

// Throws Error(run_failed) that names a trained tensor with a NaN or an infinity.
void require_finite(const LanguageModel& model);

// Of the ranks, 0 writes. Refuses weights that are not finite. `merge`: none, or the type of the weights in merged/.
// What share of the update they hold becomes part of the summary ({"merged": {"dtype", "survives", "error"}},
// merged_model.h), and less than 99 % a warning.
void save_trainee(const LanguageModel& model, const std::string& merge, StageContext& context);

// The model whose layers several ranks train in parts (TrainingRun::in_parts): one that is trained whole, with
// gradient_checkpointing. Null for any other.
LanguageModel* trained_in_parts(LanguageModel& model, const TrainingSettings& settings);

// updates, epochs, tokens, first and last loss, evaluation.
void summarise_training(const TrainingResult& result, StageContext& context);

// The optimizer component of a stage.
Made<Optimizer> make_optimizer(const ComponentRef& ref, StageContext& context);
// Throws Error(recipe) unless training with it makes an artifact of this type.
void require_output(const ComponentRef& optimizer, const std::string& type, const StageContext& context);
// Throws Error(recipe) unless it learns from batches of this kind, such as TokenOptimizer::batch_info().
void require_batches(const ComponentRef& optimizer, const BatchInfo& wanted, const StageContext& context);

}  // namespace plumb
