// Stage `train`: an alignment algorithm on pairs, preferences, demonstrations or prompts.
//
// Output: a model folder, or with LoRA an adapter's (training_stage.h).
#include <cmath>

#include "framework/core/catalogue/settings.h"
#include "framework/engine/modeling/lora.h"
#include "framework/engine/stages/body.h"
#include "framework/engine/stages/reward.h"
#include "framework/engine/stages/training_rows.h"
#include "framework/engine/stages/training_stage.h"
#include "framework/engine/training/online_objective.h"
#include "framework/engine/training/pair_objective.h"
#include "framework/engine/training/unpaired_objective.h"

namespace plumb {
namespace {

void require_type(const StageContext& context, const std::string& param, const Artifact& data,
                  const std::vector<std::string>& types, const std::string& optimizer) {
  std::string wanted;
  for (const std::string& type : types) {
    if (data.manifest.type == type) return;
    wanted += (wanted.empty() ? "" : " or ") + type;
  }
  throw Error(ErrorCode::recipe, "stage " + context.name() + ": `" + param + "` is of type " + data.manifest.type +
                                     "; optimizer " + optimizer + " learns from " + wanted);
}

class TrainStage {
 public:
  explicit TrainStage(StageContext& context)
      : context_(context),
        settings_(train_params().parse(context.params())),
        optimizer_(make_optimizer(settings_.optimizer, std::nullopt, context)),
        model_(open_trainee(context, settings_.training, settings_.lora)) {}

  void run() {
    switch (optimizer_.call(&Optimizer::batch)) {
      case Optimizer::Batch::tokens:
        return on_demonstrations(optimizer_.as<TokenOptimizer>());
      case Optimizer::Batch::pairs:
        return on_pairs(optimizer_.as<PairwiseOptimizer>());
      case Optimizer::Batch::unpaired:
        return on_single_answers(optimizer_.as<UnpairedOptimizer>());
      case Optimizer::Batch::rollouts:
        return on_prompts(optimizer_.as<OnlineOptimizer>());
      case Optimizer::Batch::scores:
        throw Error(ErrorCode::recipe, "stage " + context_.name() + ": optimizer " + settings_.optimizer.name +
                                           " trains reward models; use the stage reward_model");
    }
  }

 private:
  void on_demonstrations(const Made<TokenOptimizer>& optimizer) {
    auto data = demonstrations("data", context_.input("data"));
    TokenObjective objective(model_, optimizer, std::move(data.rows));
    std::optional<TokenObjective> eval;
    if (const Artifact* held_out = context_.optional_input("eval"); held_out != nullptr) {
      eval.emplace(model_, optimizer, demonstrations("eval", *held_out).rows);
    }
    finish(objective, shuffled(objective.size()), eval ? &*eval : nullptr);
  }

  void on_pairs(const Made<PairwiseOptimizer>& optimizer) {
    set_adapter_dropout(model_, false);
    auto data = pairs("data", context_.input("data"));
    std::optional<PairRows> eval_rows;
    if (const Artifact* held_out = context_.optional_input("eval"); held_out != nullptr)
      eval_rows = pairs("eval", *held_out).rows;

    const EpochOrder order = pair_order(settings_.pair_batching, settings_.pair_cap, data.rows.group_of_pair());
    const bool referenced = needs("reference");
    std::optional<ReferenceLogps> reference, eval_reference;
    if (referenced) {
      std::optional<LanguageModel> other = open_reference();
      LanguageModel& frozen = other ? *other : model_;
      const auto visited = batch_plan(data.rows.pairs.size(), order, settings_.training, context_.random()).visited();
      reference = reference_logps(frozen, data.rows, visited,
                                  {.name = "train", .tokens = optimizer.call(&PairwiseOptimizer::per_token)}, context_);
      if (eval_rows) {
        const auto all = in_order(eval_rows->pairs.size())(Random(0));
        eval_reference =
            reference_logps(frozen, *eval_rows, all,
                            {.name = "eval", .tokens = optimizer.call(&PairwiseOptimizer::per_token)}, context_);
      }
      context_.summarise("reference_responses", static_cast<std::int64_t>(reference->size()));
    }

    PairObjective objective(model_, optimizer, std::move(data.rows), std::move(reference));
    if (referenced && starts_at_reference()) objective.expect_identity();
    std::optional<PairObjective> eval;
    if (eval_rows) eval.emplace(model_, optimizer, std::move(*eval_rows), std::move(eval_reference));
    finish(objective, order, eval ? &*eval : nullptr);
    if (objective.identity_error()) context_.summarise("step_0_log_ratio", *objective.identity_error());
  }

  void on_single_answers(const Made<UnpairedOptimizer>& optimizer) {
    UnpairedOptions options{.mismatched = needs("mismatched")};
    const bool referenced = needs("reference");
    std::optional<LanguageModel> other = referenced ? open_reference() : std::nullopt;
    options.starts_at_reference = referenced && !other;
    const auto objective_of = [&](const std::string& param, const Artifact& data) {
      auto read = single_answers(param, data);
      std::optional<ReferenceLogps> reference;
      if (referenced) {
        const auto all = in_order(read.rows.desirable.size())(Random(0));
        reference = reference_logps(other ? *other : model_, read.rows.rows, all, {.name = param}, context_);
      }
      return std::make_unique<UnpairedObjective>(model_, optimizer, std::move(read.rows), std::move(reference),
                                                 options);
    };
    const auto objective = objective_of("data", context_.input("data"));
    std::unique_ptr<UnpairedObjective> eval;
    if (const Artifact* held_out = context_.optional_input("eval"); held_out != nullptr)
      eval = objective_of("eval", *held_out);
    finish(*objective, shuffled(objective->size()), eval.get());
  }

  // A step is a batch of answers; one visit to it is an epoch of the trainer's plan, a mini-batch an update.
  void on_prompts(const Made<OnlineOptimizer>& optimizer) {
    const RolloutParams rollout = rollout_params().parse(settings_.rollout);
    auto data = prompts("data", context_.input("data"), rollout);
    std::vector<PromptRow> held_out;
    if (const Artifact* eval = context_.optional_input("eval"); eval != nullptr)
      held_out = prompts("eval", *eval, rollout).rows;
    const double count = static_cast<double>(data.rows.size());

    if (!settings_.reward) {
      throw Error(ErrorCode::recipe,
                  "reward: an optimizer that answers prompts needs rewards; give `reward_model`, or "
                  "`reward` with a component that needs no model");
    }
    StageReward reward(*settings_.reward, context_);
    const bool referenced = needs("reference");
    std::optional<LanguageModel> frozen = referenced ? open_frozen() : std::nullopt;
    std::optional<LanguageModel> critic;
    if (context_.optional_input("value_model") != nullptr) {
      critic = open_trainee_of("value_model", context_, settings_.training, settings_.lora);
      require_vocabulary(*critic);
    }
    LanguageModel* reference = frozen ? &*frozen : &model_;
    OnlineObjective objective(
        {model_, referenced ? reference : nullptr, optimizer, needs("values"), critic ? &*critic : nullptr},
        std::move(data.rows), rollout, settings_.training.batch_size,
        [&](std::span<const ResponseGroup> groups) {
          const std::int64_t cut = reward.count_overlong(groups);
          return ScoredAnswers(reward.score(groups), cut);
        },
        context_, context_.random());

    TrainingSettings by_update = settings_.training;
    const std::int64_t per_step = objective.updates_per_step();
    const double per_epoch = count / static_cast<double>(objective.prompts_per_step());
    std::int64_t steps = settings_.training.max_steps;
    if (steps == 0) steps = static_cast<std::int64_t>(std::ceil(settings_.training.num_train_epochs * per_epoch));
    by_update.max_steps = steps * per_step;
    by_update.batch_size = settings_.training.batch_size / rollout.mini_batches;
    TrainingRun run{.tensors = trained_tensors(model_),
                    .train = &objective,
                    .order = shuffled(objective.size()),
                    .updates_per_step = per_step,
                    .epochs_per_update = 1 / (per_epoch * static_cast<double>(per_step))};
    for (TrainedTensor& tensor : objective.value_tensors()) run.tensors.push_back(std::move(tensor));
    if (!held_out.empty()) run.measure = [&] { return objective.measure(held_out); };
    const TrainingResult result = train(run, by_update, context_);
    save_trainee(model_, settings_.merge, context_);
    context_.summarise("steps", steps);
    summarise_training(result, context_);
  }

  void finish(Objective& objective, const EpochOrder& order, Objective* eval) {
    train_and_save(model_, objective, order, eval, settings_.training, settings_.merge, context_);
  }

  template <class Rows>
  TrainingRows<Rows> told(const std::string& param, TrainingRows<Rows> read) {
    read.counts.tell(context_, param);
    return read;
  }

  TrainingRows<TokenRows> demonstrations(const std::string& param, const Artifact& data) {
    require_type(context_, param, data, {artifact_type::demonstrations}, settings_.optimizer.name);
    return told(param, demonstration_rows(data, model_, {.max_length = settings_.training.max_length}, context_));
  }

  TrainingRows<PairRows> pairs(const std::string& param, const Artifact& data) {
    require_type(context_, param, data, {artifact_type::pairs, artifact_type::preferences}, settings_.optimizer.name);
    return told(param, pair_rows(data, model_, {.max_length = settings_.training.max_length}, context_));
  }

  TrainingRows<UnpairedRows> single_answers(const std::string& param, const Artifact& data) {
    require_type(context_, param, data, {artifact_type::pairs, artifact_type::preferences, artifact_type::scored},
                 settings_.optimizer.name);
    return told(param,
                unpaired_rows(data, model_, settings_.desirable_above, {.max_length = settings_.training.max_length},
                              context_.random().derive("mismatched").derive(param), context_));
  }

  TrainingRows<std::vector<PromptRow>> prompts(const std::string& param, const Artifact& data,
                                               const RolloutParams& rollout) {
    require_type(context_, param, data, {artifact_type::prompts}, settings_.optimizer.name);
    return told(param, prompt_rows(data, model_, rollout.max_new_tokens, {.max_length = settings_.training.max_length},
                                   context_));
  }

  [[nodiscard]] bool needs(const std::string& what) const {
    return optimizer_needs(settings_.optimizer, what, context_);
  }

  [[nodiscard]] bool starts_at_reference() const {
    const Artifact* named = context_.optional_input("reference");
    return named == nullptr || named->manifest.key == context_.input("model").manifest.key;
  }

  // The model named by `reference`, when it is not the start itself.
  std::optional<LanguageModel> open_reference() {
    if (starts_at_reference()) return std::nullopt;
    return open_frozen_at(context_.optional_input("reference")->folder);
  }

  // The reference of a policy that moves away from it while it is asked: none of its own only under an adapter.
  std::optional<LanguageModel> open_frozen() {
    if (!starts_at_reference()) return open_reference();
    if (model_.lora) return std::nullopt;
    return open_frozen_at(context_.input("model").folder);
  }

  LanguageModel open_frozen_at(const std::filesystem::path& folder) {
    LanguageModel reference =
        open_language_model(folder, context_.registry(), context_, {.placement = settings_.training.placement});
    if (reference.lora) freeze_adapter(reference);  // a part of it, while the policy's is off
    require_vocabulary(reference);
    return reference;
  }

  void require_vocabulary(const LanguageModel& other) const {
    const std::int64_t vocabulary = other.shape().vocabulary, wanted = model_.shape().vocabulary;
    if (vocabulary == wanted) return;
    throw Error(ErrorCode::data, other.folder.string() + ": the model has " + std::to_string(vocabulary) +
                                     " tokens in its vocabulary, the policy " + std::to_string(wanted) +
                                     "; both read the same token ids and need one tokenizer");
  }

  StageContext& context_;
  TrainSettings settings_;
  Made<Optimizer> optimizer_;
  LanguageModel model_;
};

void run(StageContext& context) {
  TrainStage(context).run();
}

const BodyRegistration registered("train", run);

}  // namespace

}  // namespace plumb
