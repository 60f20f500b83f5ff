#include "framework/engine/stages/training_task.h"

#include "framework/core/kinds/optimizer_rules.h"
#include "framework/core/registry/registry.h"
#include "framework/engine/modeling/lora.h"
#include "framework/engine/training/trained_tensors.h"

namespace plumb {
namespace {

bool makes_reward_models(const KnownComponent* optimizer) {
  return optimizer != nullptr && trains_rewards(optimizer->info);
}

const KnownComponent* known(const StageContext& context, const ComponentRef& optimizer) {
  return context.registry().find("optimizer", optimizer.name);
}

}  // namespace

TrainingSetup::TrainingSetup(StageContext& stage, TrainSettings chosen, const RowOptions& how)
    : context(stage),
      settings(std::move(chosen)),
      rows(how),
      optimizer(make_optimizer(settings.optimizer, stage)),
      model(open_trainee(stage, settings.training, settings.lora,
                         makes_reward_models(known(stage, settings.optimizer)))) {}

bool TrainingSetup::needs(const std::string& what) const {
  const KnownComponent* component = known(context, settings.optimizer);
  return component != nullptr && asks_for(component->info, what);
}

const Artifact* TrainingSetup::data(const std::string& param) const {
  const Artifact* found = context.optional_input(param);
  const KnownComponent* component = known(context, settings.optimizer);
  if (found == nullptr || component == nullptr) return found;
  std::string wanted;
  for (const std::string& type : component->info.batch.takes) {
    if (found->manifest.type == type) return found;
    wanted += (wanted.empty() ? "" : " or ") + type;
  }
  throw Error(ErrorCode::recipe, "stage " + context.name() + ": `" + param + "` is of type " + found->manifest.type +
                                     "; optimizer " + settings.optimizer.name + " learns from " + wanted);
}

bool TrainingSetup::starts_at_reference() const {
  const Artifact* named = context.optional_input("reference");
  return named == nullptr || named->manifest.key == context.input("model").manifest.key;
}

std::optional<LanguageModel> TrainingSetup::open_reference() const {
  if (starts_at_reference()) return std::nullopt;
  return open_frozen_at(context.optional_input("reference")->folder);
}

std::optional<LanguageModel> TrainingSetup::open_frozen() const {
  if (!starts_at_reference()) return open_reference();
  if (model.lora) return std::nullopt;
  return open_frozen_at(context.input("model").folder);
}

LanguageModel TrainingSetup::open_frozen_at(const std::filesystem::path& folder) const {
  LanguageModel reference =
      open_language_model(folder, context.registry(), context, {.placement = settings.training.placement});
  if (reference.lora) freeze_adapter(reference);  // a part of it, while the policy's is off
  require_vocabulary(reference);
  return reference;
}

void TrainingSetup::require_vocabulary(const LanguageModel& other) const {
  const std::int64_t vocabulary = other.shape().vocabulary, wanted = model.shape().vocabulary;
  if (vocabulary == wanted) return;
  throw Error(ErrorCode::data, other.folder.string() + ": the model has " + std::to_string(vocabulary) +
                                   " tokens in its vocabulary, the policy " + std::to_string(wanted) +
                                   "; both read the same token ids and need one tokenizer");
}

TrainingTask task_of(TrainingSetup& setup) {
  std::optional<TrainingTask> task;
  OptimizerClasses::each([&]<class Class>(std::type_identity<Class>) {
    if (const auto optimizer = setup.optimizer.as<Class>()) task = task_on<Class>(optimizer, setup);
  });
  if (!task) {
    throw Error(ErrorCode::plugin, setup.optimizer.name() +
                                       " derives from none of the classes that there are batches "
                                       "for (plumb/tensor/optimizer.h)");
  }
  std::vector<TrainedTensor> tensors = trained_tensors(setup.model);
  for (TrainedTensor& tensor : task->run.tensors) tensors.push_back(std::move(tensor));
  task->run.tensors = std::move(tensors);
  task->run.train = task->objective.get();
  task->run.eval = task->eval.get();
  // Ranks that answer prompts do so each at its own pace, with the whole policy.
  if (!setup.optimizer.as<OnlineOptimizer>()) {
    task->run.in_parts = trained_in_parts(setup.model, setup.settings.training);
  }
  return std::move(*task);
}

void run_training(StageContext& context, TrainSettings settings, const RowOptions& rows) {
  TrainingSetup setup(context, std::move(settings), rows);
  const TrainingTask task = task_of(setup);
  const TrainingResult result = train(task.run, task.settings, context);
  if (task.run.in_parts != nullptr) context.summarise("layers_in_parts", true);
  save_trainee(setup.model, setup.settings.merge, context);
  for (const auto& [name, value] : task.told) {
    if (std::optional<Value> known_by_now = value()) context.summarise(name, std::move(*known_by_now));
  }
  summarise_training(result, context);
}

}  // namespace plumb
