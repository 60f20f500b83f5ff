#include "framework/engine/stages/training_stage.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/isfinite.h>
#include <fmt/format.h>

#include "framework/core/components/make.h"
#include "framework/core/kinds/optimizer_rules.h"
#include "framework/engine/distributed/collective.h"
#include "framework/engine/modeling/checkpointed_layers.h"
#include "framework/engine/modeling/lora.h"
#include "framework/engine/modeling/merge_adapter.h"
#include "framework/engine/modeling/merged_model.h"
#include "framework/engine/modeling/reward_head.h"

namespace plumb {
namespace fs = std::filesystem;
namespace {

bool has_reward_head(const Artifact& model) {
  return model.manifest.type == artifact_type::reward_model;
}

// The start of training may itself be a base with an adapter. Below a new adapter it stays so, frozen; weights that are
// all trained take it in, which only float32 can do whole.
LanguageModel open_start(const Artifact& start, StageContext& context, const Value& lora, const OpenModel& how) {
  LanguageModel model = open_language_model(start.folder, context.registry(), context, how);
  if (!model.lora) return model;
  if (!lora.is_null()) {
    freeze_adapter(model);
    return model;
  }
  const MergeLoss loss = merge_adapter(model);
  if (!loss.faithful()) {
    context.log(
        LogLevel::warning,
        fmt::format("all weights of `{}` are trained in {}, with its adapter folded in: {}; dtype float32 keeps "
                    "it, and so does lora",
                    start.manifest.stage, how.placement.dtype, merge_text(loss, how.placement.dtype)));
  }
  context.summarise("start_merged", to_value(loss, how.placement.dtype));
  return model;
}

void set_checkpointing(LanguageModel& model, const TrainingSettings& settings) {
  if (settings.gradient_checkpointing) require_layers(model);
  model.gradient_checkpointing = settings.gradient_checkpointing;
}

void add_adapter(LanguageModel& model, const Value& lora, const Random& random) {
  if (lora.is_null()) return;
  const LoraParams wanted = lora_params().parse(lora);
  attach_lora(model, {wanted.r, wanted.alpha, wanted.dropout, wanted.target_modules}, random);
}

}  // namespace

LanguageModel open_trainee_of(const std::string& param, StageContext& context, const TrainingSettings& settings,
                              const Value& lora) {
  LanguageModel model =
      open_start(context.input(param), context, lora,
                 {.placement = settings.placement, .training = true, .merge_adapter = lora.is_null()});
  set_checkpointing(model, settings);
  add_adapter(model, lora, context.random().derive("lora").derive(param));
  return model;
}

LanguageModel open_trainee(StageContext& context, const TrainingSettings& settings, const Value& lora, bool reward) {
  const Artifact& start = context.input("model");
  const bool headed = reward && has_reward_head(start);
  LanguageModel model = open_start(
      start, context, lora,
      {.placement = settings.placement, .training = true, .merge_adapter = lora.is_null(), .reward_head = headed});
  if (reward && !headed) add_reward_head(model, context.random().derive("score"));
  if (headed && settle_padding(model)) {
    context.log(LogLevel::warning,
                start.folder.string() +
                    ": its pad_token_id ends an answer, so that its reward was read before that token; from here on it "
                    "is read at the EOS, and another token is the padding");
  }
  set_checkpointing(model, settings);
  add_adapter(model, lora, context.random().derive("lora"));
  std::int64_t trainable = 0;
  for (const TrainedTensor& tensor : trained_tensors(model)) trainable += tensor.value.numel();
  context.summarise("parameters", model.parameter_count());
  context.summarise("trainable_parameters", trainable);
  return model;
}

// The trainer stops before such weights; this holds whatever wrote them.
void require_finite(const LanguageModel& model) {
  const at::NoGradGuard no_grad;
  for (const Parameter* parameter : model.trainable()) {
    if (at::isfinite(*parameter->tensor).all().item<bool>()) continue;
    throw Error(ErrorCode::run_failed, "the trained weights of " + parameter->name +
                                           " hold a NaN or an infinity; the model is not saved. Look at "
                                           "learning_rate, weight_decay and dtype");
  }
}

void save_trainee(const LanguageModel& model, const std::string& merge, StageContext& context) {
  require_finite(model);
  if (!ranks().leads()) return;
  const fs::path folder = context.folder();
  save_language_model(model, folder);
  if (!model.lora || merge == "none") return;
  const MergeLoss loss =
      write_merged(folder, folder / merged_folder_name, merge, model.score != nullptr, context.registry(), context);
  context.summarise("merged", to_value(loss, merge));
  if (!loss.faithful()) {
    context.log(LogLevel::warning, fmt::format("{}: {}; the adapter beside it has all of it", merged_folder_name,
                                               merge_text(loss, merge)));
  }
}

LanguageModel* trained_in_parts(LanguageModel& model, const TrainingSettings& settings) {
  return !ranks().alone() && settings.gradient_checkpointing && !model.lora ? &model : nullptr;
}

void summarise_training(const TrainingResult& result, StageContext& context) {
  context.summarise("updates", result.updates);
  context.summarise("epochs", result.epochs);
  context.summarise("tokens", result.tokens);
  context.summarise("first_loss", result.first_loss);
  context.summarise("last_loss", result.last_loss);
  for (const auto& [name, value] : result.first_measured) context.summarise("start_" + name, value);
  for (const auto& [name, value] : result.eval) context.summarise(name, value);
}

Made<Optimizer> make_optimizer(const ComponentRef& ref, StageContext& context) {
  return make<Optimizer>(context, ref);
}

void require_output(const ComponentRef& optimizer, const std::string& type, const StageContext& context) {
  const KnownComponent* component = context.registry().find("optimizer", optimizer.name);
  if (component == nullptr) return;  // making it says so
  const bool makes = trains_rewards(component->info);
  if (makes == (type == artifact_type::reward_model)) return;
  throw Error(ErrorCode::recipe, "stage " + context.name() + ": optimizer " + optimizer.name +
                                     (makes ? " trains reward models; use the stage reward_model"
                                            : " trains no reward models, but learns from " + component->info.batch.of));
}

void require_batches(const ComponentRef& optimizer, const BatchInfo& wanted, const StageContext& context) {
  const KnownComponent* component = context.registry().find("optimizer", optimizer.name);
  if (component == nullptr || component->info.batch.by == wanted.by) return;
  throw Error(ErrorCode::recipe, "stage " + context.name() + ": optimizer " + optimizer.name + " learns from " +
                                     component->info.batch.of + "; this stage needs one that learns from " + wanted.of);
}

}  // namespace plumb
