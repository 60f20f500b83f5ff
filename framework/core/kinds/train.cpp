// Kind `train`: the alignment of a policy.
#include <numeric>

#include "framework/core/catalogue/declared.h"
#include "framework/core/kinds/optimizer_rules.h"
#include "framework/core/kinds/training.h"
#include "framework/core/report/sections.h"

namespace plumb {
namespace {

namespace type = artifact_type;

Declared<RolloutParams> declare_rollout() {
  Declared<RolloutParams> d{"how an online optimizer makes and visits its policy's answers"};
  auto& p = d.params;
  using S = RolloutParams;
  p.add(&S::responses, "responses", "answers to each prompt of a batch").at_least(1).at_most(4096);
  p.add(&S::max_new_tokens, "max_new_tokens", "an answer is cut here").at_least(1).unit("tokens");
  p.add(&S::temperature, "temperature", "divides the logits, in sampling and in log-probabilities").above(0);
  p.add(&S::inner_epochs, "inner_epochs", "visits to each batch of answers").at_least(1);
  p.add(&S::mini_batches, "mini_batches", "updates in each visit").at_least(1);
  p.add(&S::missing_eos_penalty, "missing_eos_penalty", "subtracted from the reward of an answer that was cut")
      .at_least(0);
  return d;
}

std::string broken_rollout(const TrainSettings& s) {
  if (!s.rollout.is_map()) return {};
  const RolloutParams rollout = declare_rollout().params.parse(s.rollout);
  const std::int64_t size = s.training.batch_size;
  if (size % rollout.responses == 0 && size % rollout.mini_batches == 0) return {};
  return "batch_size: found " + std::to_string(size) + ", wanted a multiple of rollout.responses (" +
         std::to_string(rollout.responses) + ") and of rollout.mini_batches (" + std::to_string(rollout.mini_batches) +
         "), such as " + std::to_string(std::lcm(rollout.responses, rollout.mini_batches));
}

Declared<TrainSettings> declare_train() {
  Declared<TrainSettings> d{"align a model on pairs or other data, as the optimizer takes", "RS-DPO, section 2.5"};
  auto& p = d.params;
  p.add(&TrainSettings::model, "model", "the policy to start from").accepts({type::model}).required();
  p.add(&TrainSettings::data, "data", "what to learn from: a type that the optimizer takes")
      .accepts({type::pairs, type::preferences, type::scored, type::demonstrations, type::prompts})
      .required();
  p.add(&TrainSettings::optimizer, "optimizer", "the alignment algorithm").component("optimizer");
  p.add(&TrainSettings::reference, "reference", "the model to stay near; absent: the starting model")
      .accepts({type::model});
  p.add(&TrainSettings::eval, "eval",
        "held-out data of the same types: eval_rewards/accuracies and eval_rewards/margins of pairs, "
        "eval_objective/scores of answers to prompts")
      .accepts({type::pairs, type::preferences, type::scored, type::demonstrations, type::prompts});
  p.add(&TrainSettings::pair_batching, "pair_batching",
        "order of pairs: shuffled (exact), a prompt's together (grouped), or in blocks of at most pair_cap (capped)")
      .choices({"exact", "grouped", "capped"});
  p.add(&TrainSettings::pair_cap, "pair_cap", "pairs of a prompt in one block of capped").at_least(1).unit("pairs");
  p.add(&TrainSettings::reward_model, "reward_model", "a trained reward model, for optimizers that score answers")
      .accepts({type::reward_model});
  p.add(&TrainSettings::reward, "reward", "what computes rewards, for such an optimizer; absent: classifier-head")
      .component("reward-model");
  p.add(&TrainSettings::rollout, "rollout", "how such an optimizer makes and visits answers; {} takes the defaults")
      .fields(rollout_params().infos());
  p.add(&TrainSettings::value_model, "value_model",
        "a model of its own to start the values from, for an optimizer that uses them; absent: a head on the policy")
      .accepts({type::model});
  p.add(&TrainSettings::desirable_above, "desirable_above",
        "of scored answers: those with a reward above this are desirable; absent: above the mean of all");
  declare_lora(d);
  d.include(&TrainSettings::training, declare_training());
  d.rule(broken_eval_steps<TrainSettings>);
  d.rule(broken_rollout);
  d.rule([](const TrainSettings& s) -> std::string {
    const Value* overlong = s.reward && s.reward->params.is_map() ? s.reward->params.find("overlong") : nullptr;
    if (overlong == nullptr || !(*overlong == Value("drop"))) return {};
    return "reward: overlong: drop leaves answers without a reward, and an online optimizer needs one of each; use "
           "truncate-left";
  });
  d.rule(frozen_only<TrainSettings>);
  d.rule([](const TrainSettings& s) -> std::string {
    if (s.pair_batching != "capped") {
      return s.pair_cap == TrainSettings{}.pair_cap ? "" : "pair_cap: has no effect unless pair_batching is capped";
    }
    if (s.pair_cap <= s.training.batch_size) return {};
    return "pair_cap: more than the batch_size of " + std::to_string(s.training.batch_size) +
           "; a block fits one batch";
  });
  return d;
}

StageKind make_kind() {
  StageKind kind = declare_train().kind("train", type::model);
  kind.revision = 2;
  kind.feeds = {{.component = "reward", .input = "reward_model"}};
  kind.needed_defaults = {{.param = "reward",
                           .value = Value::map({{"name", ScoreSettings{}.reward.name}}),
                           .asker = "optimizer",
                           .need = "reward-model",
                           .beside = "reward_model"}};
  kind.models = {.work = ModelWork::trains, .aligns = true};
  kind.rules = check_alignment;
  kind.report.by_row = [](Document& page, const std::vector<ReportItem>& models, const std::string& of) {
    page.add(Heading{2, "Training by row"});
    page.add(Paragraph{{of}});
    add_curves(page, models);
  };
  return kind;
}

const KindRegistration registered(110, make_kind);

}  // namespace

Params<RolloutParams> rollout_params() {
  return declare_rollout().with_rules();
}
Params<TrainSettings> train_params() {
  return declare_train().with_rules();
}

}  // namespace plumb
