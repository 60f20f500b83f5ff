// The stages that train a model.
#include <cctype>
#include <numeric>

#include "framework/core/catalogue/catalogue.h"
#include "framework/core/catalogue/needed_defaults.h"

namespace plumb {
namespace {

namespace type = artifact_type;

std::string broken_training(const TrainingSettings& s) {
  if (s.warmup_steps > 0 && s.warmup_ratio > 0)
    return "warmup_ratio: give either warmup_steps or warmup_ratio, not both";
  if (s.max_steps > 0 && s.warmup_steps > s.max_steps) {
    return "warmup_steps: more than the " + std::to_string(s.max_steps) + " updates of max_steps";
  }
  if (s.micro_batch_size > s.batch_size) {
    return "micro_batch_size: more than the batch_size of " + std::to_string(s.batch_size);
  }
  return {};
}

std::string not_there_yet(const TrainingSettings& s) {
  if (!s.gradient_checkpointing) return {};
  return "gradient_checkpointing: not there yet: every activation is kept until the backward pass; leave it out, and "
         "lower micro_batch_size or max_length for less memory";
}

std::string broken_device(const std::string& device) {
  if (device == "cpu" || device == "cuda") return {};
  const bool numbered =
      device.starts_with("cuda:") && device.size() > 5 && device.size() < 9 &&
      std::all_of(device.begin() + 5, device.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
  return numbered ? "" : "device: found \"" + device + "\", wanted cpu, cuda or cuda:N";
}

Declared<TrainingSettings> declare_training(
    const char* longer = "longer rows (prompt and answer) are left out and counted") {
  Declared<TrainingSettings> d{"what every training stage has"};
  auto& p = d.params;
  using S = TrainingSettings;
  p.add(&S::batch_size, "batch_size", "sequences or pairs an update learns from").at_least(1);
  p.add(&S::micro_batch_size, "micro_batch_size", "of these, how many go through the model at once; 0: all")
      .at_least(0);
  p.add(&S::learning_rate, "learning_rate", "of AdamW at the end of the warm-up").above(0).at_most(1);
  p.add(&S::lr_scheduler_type, "lr_scheduler_type", "course of the learning rate after the warm-up")
      .choices({"linear", "cosine", "constant"});
  p.add(&S::warmup_ratio, "warmup_ratio", "share of the updates over which the learning rate rises")
      .at_least(0)
      .at_most(1);
  p.add(&S::warmup_steps, "warmup_steps", "the same as a number; instead of warmup_ratio").at_least(0).unit("updates");
  p.add(&S::num_train_epochs, "num_train_epochs", "passes over the data").above(0);
  p.add(&S::max_steps, "max_steps", "instead of epochs, when above 0").at_least(0).unit("updates");
  p.add(&S::weight_decay, "weight_decay", "of AdamW, on matrices only").at_least(0);
  p.add(&S::adam_beta1, "adam_beta1", "decay of the mean of gradients").at_least(0).below(1);
  p.add(&S::adam_beta2, "adam_beta2", "decay of the mean of their squares").at_least(0).below(1);
  p.add(&S::adam_epsilon, "adam_epsilon", "added to the root of the latter").above(0);
  p.add(&S::max_grad_norm, "max_grad_norm", "gradients are scaled down to this norm; 0: never").at_least(0);
  p.add(&S::max_length, "max_length", longer).at_least(2).unit("tokens");
  p.add(&S::logging_steps, "logging_steps", "between rows of the metrics").at_least(1).unit("updates");
  p.add(&S::eval_steps, "eval_steps", "between evaluations on `eval`; 0: only at the end").at_least(0).unit("updates");
  p.add(&S::save_steps, "save_steps", "between checkpoints for going on after an interruption")
      .at_least(1)
      .unit("updates");
  p.add(&S::dtype, "dtype", "of weights and activations; moments and losses are float32")
      .choices({"float32", "bfloat16"});
  p.add(&S::device, "device", "cpu, cuda or cuda:N");
  p.add(&S::gradient_checkpointing, "gradient_checkpointing", "not there yet: must be false");
  d.rule(broken_training);
  d.rule([](const S& s) { return broken_device(s.device); });
  d.rule(not_there_yet);
  return d;
}

const char* const kLoraDoc = "train low-rank adapters instead of all weights; {} takes the defaults";

// `lora` and `merge`, which every stage that can train adapters has.
template <class S>
void declare_lora(Declared<S>& d) {
  d.params.add(&S::lora, "lora", kLoraDoc).fields(lora_params().infos());
  d.params
      .add(&S::merge, "merge",
           "with lora: also write merged/, one whole model with the adapter folded into weights of this type; bfloat16 "
           "rounds small updates away, and the summary says what share survives")
      .choices({"none", "float32", "bfloat16"});
  d.rule([](const S& s) -> std::string {
    if (s.merge == "none" || s.lora.is_map()) return {};
    return "merge: there is an adapter to fold in only with lora; without it the model is whole";
  });
}

template <class S>
std::string broken_eval_steps(const S& s) {
  if (s.training.eval_steps == 0 || s.eval) return {};
  return "eval_steps: has no effect without `eval`, the rows to evaluate on";
}

Declared<LanguageModelSettings> declare_language_model() {
  Declared<LanguageModelSettings> d{"learn to predict every token of a corpus"};
  auto& p = d.params;
  p.add(&LanguageModelSettings::model, "model", "the model to start from").accepts({type::model}).required();
  p.add(&LanguageModelSettings::data, "data", "the corpus").accepts({type::texts, type::demonstrations}).required();
  p.add(&LanguageModelSettings::optimizer, "optimizer", "the loss").component("optimizer");
  d.include(&LanguageModelSettings::training, declare_training("longer texts are learnt as several rows, and counted"));
  d.rule([](const LanguageModelSettings& s) -> std::string {
    return s.training.eval_steps == 0 ? "" : "eval_steps: has no effect: this stage has no `eval`; leave it out";
  });
  return d;
}

Declared<SftSettings> declare_sft() {
  Declared<SftSettings> d{"supervised fine-tuning on demonstrations", "RS-DPO, section 2.1"};
  auto& p = d.params;
  p.add(&SftSettings::model, "model", "the model to start from").accepts({type::model}).required();
  p.add(&SftSettings::data, "data", "conversations to imitate").accepts({type::demonstrations}).required();
  p.add(&SftSettings::optimizer, "optimizer", "the loss").component("optimizer");
  p.add(&SftSettings::learn, "learn", "the tokens that carry loss").choices({"assistant", "all"});
  p.add(&SftSettings::eval, "eval", "held-out demonstrations for eval_loss").accepts({type::demonstrations});
  declare_lora(d);
  d.include(&SftSettings::training, declare_training());
  d.rule(broken_eval_steps<SftSettings>);
  return d;
}

Declared<RewardModelSettings> declare_reward_model() {
  Declared<RewardModelSettings> d{"train a model with a reward head on preferences", "RS-DPO, section 2.2"};
  auto& p = d.params;
  p.add(&RewardModelSettings::model, "model", "the model that gets the head").accepts({type::model}).required();
  p.add(&RewardModelSettings::data, "data", "preferences to learn")
      .accepts({type::preferences, type::pairs})
      .required();
  p.add(&RewardModelSettings::optimizer, "optimizer", "the loss").component("optimizer");
  p.add(&RewardModelSettings::eval, "eval", "held-out preferences for eval_accuracy and eval_margin")
      .accepts({type::preferences, type::pairs});
  declare_lora(d);
  d.include(&RewardModelSettings::training, declare_training());
  d.rule(broken_eval_steps<RewardModelSettings>);
  return d;
}

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
  p.add(&TrainSettings::weights, "weights",
        "of the base under an adapter: full, or int8 (linear layers in 8-bit rows, computed in float32)")
      .choices({"full", "int8"});
  d.include(&TrainSettings::training, declare_training());
  d.rule(broken_eval_steps<TrainSettings>);
  d.rule(broken_rollout);
  d.rule([](const TrainSettings& s) -> std::string {
    const Value* overlong = s.reward && s.reward->params.is_map() ? s.reward->params.find("overlong") : nullptr;
    if (overlong == nullptr || !(*overlong == Value("drop"))) return {};
    return "reward: overlong: drop leaves answers without a reward, and an online optimizer needs one of each; use "
           "truncate-left";
  });
  d.rule([](const TrainSettings& s) -> std::string {
    if (s.weights == "full" || s.lora.is_map()) return {};
    return "weights: 8-bit weights cannot be trained; give lora, whose adapters can";
  });
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

StageKind with_revision(StageKind kind, int revision) {
  kind.revision = revision;
  return kind;
}

}  // namespace

std::vector<NeededDefault> needed_defaults(const std::string& stage_kind) {
  if (stage_kind != "train") return {};
  return {{"reward", Value::map({{"name", ScoreSettings{}.reward.name}}), "optimizer", "reward-model", "reward_model"}};
}

Params<RolloutParams> rollout_params() {
  return declare_rollout().with_rules();
}
Params<LoraParams> lora_params() {
  Params<LoraParams> p{"low-rank adapters on linear layers, initialised as in PEFT", "arXiv:2106.09685"};
  p.add(&LoraParams::r, "r", "rank of the adapters").at_least(1);
  p.add(&LoraParams::alpha, "alpha", "their output is scaled by alpha / r").above(0);
  p.add(&LoraParams::dropout, "dropout", "on their input while training").at_least(0).below(1);
  p.add(&LoraParams::target_modules, "target_modules", "names of linear layers; empty: the architecture's default");
  return p;
}

Params<LanguageModelSettings> language_model_params() {
  return declare_language_model().with_rules();
}
Params<SftSettings> sft_params() {
  return declare_sft().with_rules();
}
Params<RewardModelSettings> reward_model_params() {
  return declare_reward_model().with_rules();
}
Params<TrainSettings> train_params() {
  return declare_train().with_rules();
}

StageKind language_model_kind() {
  return declare_language_model().kind("language_model", type::model);
}
StageKind sft_kind() {
  return with_revision(declare_sft().kind("sft", type::model), 2);
}
StageKind reward_model_kind() {
  return with_revision(declare_reward_model().kind("reward_model", type::reward_model), 3);
}
StageKind train_kind() {
  return with_revision(declare_train().kind("train", type::model), 2);
}

}  // namespace plumb
