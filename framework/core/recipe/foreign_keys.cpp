#include "framework/core/recipe/foreign_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "framework/core/catalogue/stage.h"

namespace plumb {
namespace {

constexpr const char* kAccumulation =
    "batch_size is of the whole update, and micro_batch_size the part of it that goes through the model at once: their "
    "ratio is the number of accumulation steps";
constexpr const char* kWholeUpdate = "of a whole update; micro_batch_size is what goes through the model at once";
constexpr const char* kTrackers =
    "metrics.jsonl and TensorBoard's event file are always written into the stage's folder, and there is no other "
    "tracker";
constexpr const char* kFolder = "a run lies in runs/NAME; `plumb run --runs DIR` takes another folder than runs";
constexpr const char* kRanks =
    "torchrun, mpirun or srun start `plumb run` on several ranks, and no key of the recipe says how many";
constexpr const char* kResume = "the same command goes on where it stopped, and finished stages are cached";
constexpr const char* kModel = "a model stands under `models:` with its path, and stages name it";
constexpr const char* kDataset = "rows come from an entry under `datasets:`, and stages name it";
constexpr const char* kAdapter = "a map; {} takes the defaults";
constexpr const char* kPlain =
    "plain LoRA is trained, A and B of linear layers; training may start above an adapter that PEFT made with it";
constexpr const char* kFloat = "float32 or bfloat16";

constexpr std::array kForeign = {
    // batches and updates
    ForeignKey{"per_device_train_batch_size", "batch_size", kWholeUpdate},
    ForeignKey{"per_device_batch_size", "batch_size", kWholeUpdate},
    ForeignKey{"train_batch_size", "batch_size", kWholeUpdate},
    ForeignKey{"global_batch_size", "batch_size", kWholeUpdate},
    ForeignKey{"per_device_eval_batch_size", "micro_batch_size",
               "evaluation during training takes as many rows at once"},
    ForeignKey{"eval_batch_size", "micro_batch_size", "evaluation during training takes as many rows at once"},
    ForeignKey{"micro_train_batch_size", "micro_batch_size", ""},
    ForeignKey{"gradient_accumulation_steps", "micro_batch_size", kAccumulation},
    ForeignKey{"accumulate_grad_batches", "micro_batch_size", kAccumulation},
    ForeignKey{"lr", "learning_rate", ""},
    ForeignKey{"actor_learning_rate", "learning_rate", ""},
    ForeignKey{"epochs", "num_train_epochs", ""},
    ForeignKey{"num_epochs", "num_train_epochs", ""},
    ForeignKey{"max_epochs", "num_train_epochs", ""},
    ForeignKey{"max_train_steps", "max_steps", ""},
    ForeignKey{"total_steps", "max_steps", ""},
    ForeignKey{"lr_scheduler", "lr_scheduler_type", ""},
    ForeignKey{"scheduler", "lr_scheduler_type", ""},
    ForeignKey{"num_warmup_steps", "warmup_steps", ""},
    ForeignKey{"lr_warmup_steps", "warmup_steps", ""},
    ForeignKey{"lr_warmup_ratio", "warmup_ratio", ""},
    ForeignKey{"optim", "adam_beta1", "the update rule is AdamW: adam_beta1, adam_beta2, adam_epsilon, weight_decay"},
    ForeignKey{"beta1", "adam_beta1", ""},
    ForeignKey{"beta2", "adam_beta2", ""},
    ForeignKey{"adam_eps", "adam_epsilon", ""},
    ForeignKey{"gradient_clipping", "max_grad_norm", ""},
    ForeignKey{"grad_clip", "max_grad_norm", ""},
    ForeignKey{"max_norm", "max_grad_norm", ""},
    // lengths
    ForeignKey{"max_seq_length", "max_length", "longer rows are left out and counted, not cut"},
    ForeignKey{"max_seq_len", "max_length", "longer rows are left out and counted, not cut"},
    ForeignKey{"sequence_len", "max_length", "longer rows are left out and counted, not cut"},
    ForeignKey{"cutoff_len", "max_length", "longer rows are left out and counted, not cut"},
    ForeignKey{"model_max_length", "max_length", "longer rows are left out and counted, not cut"},
    ForeignKey{"max_len", "max_length", "longer rows are left out and counted, not cut"},
    ForeignKey{"max_prompt_length", "max_length",
               "of prompt and answer together; longer rows are left out and counted"},
    ForeignKey{"max_completion_length", "max_new_tokens", ""},
    ForeignKey{"max_tokens", "max_new_tokens", ""},
    ForeignKey{"response_length", "rollout.max_new_tokens", ""},
    // adapters and number formats
    ForeignKey{"peft", "lora", kAdapter},
    ForeignKey{"peft_config", "lora", kAdapter},
    ForeignKey{"use_peft", "lora", kAdapter},
    ForeignKey{"lora_config", "lora", kAdapter},
    ForeignKey{"adapter", "lora", kAdapter},
    ForeignKey{"finetuning_type", "lora", "with it adapters are trained, without it all weights"},
    ForeignKey{"lora_r", "lora.r", ""},
    ForeignKey{"lora_rank", "lora.r", ""},
    ForeignKey{"rank", "lora.r", ""},
    ForeignKey{"lora_alpha", "lora.alpha", ""},
    ForeignKey{"lora_dropout", "lora.dropout", ""},
    ForeignKey{"lora_target_modules", "lora.target_modules", ""},
    ForeignKey{"lora_target", "lora.target_modules", ""},
    ForeignKey{"use_dora", "", kPlain},
    ForeignKey{"init_lora_weights", "", kPlain},
    ForeignKey{"modules_to_save", "", kPlain},
    ForeignKey{"lora_bias", "", kPlain},
    ForeignKey{"use_rslora", "lora.alpha",
               "the output is scaled by alpha / r: with alpha √r it is scaled by alpha / √r"},
    ForeignKey{"load_in_8bit", "weights", "weights: int8 keeps the base under an adapter in 8-bit rows"},
    ForeignKey{"load_in_4bit", "weights", "there are no 4-bit weights; int8 is the smallest"},
    ForeignKey{"bf16", "dtype", "dtype: bfloat16"},
    ForeignKey{"fp16", "dtype", kFloat},
    ForeignKey{"torch_dtype", "dtype", kFloat},
    ForeignKey{"mixed_precision", "dtype", kFloat},
    ForeignKey{"precision", "dtype", kFloat},
    ForeignKey{"tf32", "dtype", kFloat},
    // sampling
    ForeignKey{"num_return_sequences", "k", "answers to each prompt"},
    ForeignKey{"num_generations", "k", "answers to each prompt; of an online optimizer rollout.responses"},
    ForeignKey{"n_samples_per_prompt", "k", "answers to each prompt; of an online optimizer rollout.responses"},
    ForeignKey{"best_of", "k", "answers to each prompt"},
    ForeignKey{"do_sample", "temperature", "0 is greedy"},
    ForeignKey{"num_ppo_epochs", "rollout.inner_epochs", ""},
    ForeignKey{"ppo_epochs", "rollout.inner_epochs", ""},
    ForeignKey{"num_mini_batches", "rollout.mini_batches", ""},
    ForeignKey{"mini_batch_size", "rollout.mini_batches", "a number of parts, not a size"},
    ForeignKey{"missing_eos_penalty", "rollout.missing_eos_penalty", ""},
    // what a stage reads
    ForeignKey{"model_name_or_path", "model.path", kModel},
    ForeignKey{"pretrained_model_name_or_path", "model.path", kModel},
    ForeignKey{"model_name", "model.path", kModel},
    ForeignKey{"base_model", "model.path", kModel},
    ForeignKey{"ref_model", "reference", ""},
    ForeignKey{"ref_model_name_or_path", "reference", ""},
    ForeignKey{"sft_model_path", "model", ""},
    ForeignKey{"reward_model_path", "reward_model",
               "a stage that trained one; of one that exists, `reward` with `path`"},
    ForeignKey{"value_model_path", "value_model", ""},
    ForeignKey{"dataset_name", "dataset.source", kDataset},
    ForeignKey{"dataset", "data", kDataset},
    ForeignKey{"train_dataset", "data", kDataset},
    ForeignKey{"train_file", "data", kDataset},
    ForeignKey{"eval_dataset", "eval", kDataset},
    ForeignKey{"validation_file", "eval", kDataset},
    ForeignKey{"val_set_size", "eval",
               "held-out rows are a dataset of their own: the same source with other skip and limit"},
    ForeignKey{"test_size", "eval",
               "held-out rows are a dataset of their own: the same source with other skip and limit"},
    ForeignKey{"max_samples", "dataset.limit", ""},
    ForeignKey{"max_train_samples", "dataset.limit", ""},
    ForeignKey{"chat_template", "model.chat_format", "the name of a format, not a template"},
    ForeignKey{"prompt_template", "model.chat_format", "the name of a format, not a template"},
    ForeignKey{"template", "model.chat_format", "the name of a format, not a template"},
    ForeignKey{"train_on_inputs", "learn", "learn: all for every token, assistant for the answers alone"},
    ForeignKey{"completion_only_loss", "learn", "learn: all for every token, assistant for the answers alone"},
    ForeignKey{"assistant_only_loss", "learn", "learn: all for every token, assistant for the answers alone"},
    ForeignKey{"packing", "", "rows are computed without padding, so that packing would save nothing"},
    ForeignKey{"group_by_length", "", "rows are computed without padding, so that their order saves nothing"},
    ForeignKey{"precompute_ref_log_probs", "",
               "the reference's log-probabilities are always computed once, before training"},
    ForeignKey{"remove_unused_columns", "", "columns that a stage does not read cost it nothing"},
    ForeignKey{"dataset_num_proc", "", "rows are made ready on all cores"},
    ForeignKey{"dataloader_num_workers", "", "rows are made ready on all cores"},
    ForeignKey{"neftune_noise_alpha", "", "there is no noise on embeddings"},
    ForeignKey{"attn_implementation", "", "the device decides which attention is used"},
    ForeignKey{"flash_attention", "", "the device decides which attention is used"},
    // the run
    ForeignKey{"seed", "recipe.seed", "one for the whole recipe"},
    ForeignKey{"data_seed", "recipe.seed", "one for the whole recipe"},
    ForeignKey{"run_name", "recipe.name", ""},
    ForeignKey{"output_dir", "", kFolder},
    ForeignKey{"save_path", "", kFolder},
    ForeignKey{"overwrite_output_dir", "", kResume},
    ForeignKey{"resume_from_checkpoint", "", kResume},
    ForeignKey{"report_to", "", kTrackers},
    ForeignKey{"wandb_project", "", kTrackers},
    ForeignKey{"use_wandb", "", kTrackers},
    ForeignKey{"logging_dir", "", kTrackers},
    ForeignKey{"log_interval", "logging_steps", ""},
    ForeignKey{"eval_strategy", "eval_steps", "a number of updates; 0 evaluates at the end"},
    ForeignKey{"evaluation_strategy", "eval_steps", "a number of updates; 0 evaluates at the end"},
    ForeignKey{"save_strategy", "save_steps", "a number of updates"},
    ForeignKey{"logging_strategy", "logging_steps", "a number of updates"},
    ForeignKey{"save_total_limit", "", "one checkpoint is kept, and taken away when the stage is done"},
    ForeignKey{"load_best_model_at_end", "",
               "the weights after the last update are saved; max_steps ends training earlier"},
    ForeignKey{"metric_for_best_model", "",
               "the weights after the last update are saved; max_steps ends training earlier"},
    ForeignKey{"push_to_hub", "", "nothing is uploaded; the stage's folder is one that the hub takes"},
    ForeignKey{"disable_tqdm", "", "`plumb run --quiet` shows no progress"},
    ForeignKey{"deepspeed", "", kRanks},
    ForeignKey{"fsdp", "", kRanks},
    ForeignKey{"num_processes", "", kRanks},
    ForeignKey{"ddp_timeout", "", "`plumb run --rank-timeout` says how long ranks wait for each other"},
};

const ParamInfo* find_param(const std::vector<ParamInfo>& infos, const std::string& dotted) {
  const auto dot = std::min(dotted.find('.'), dotted.size());
  for (const ParamInfo& info : infos) {
    if (info.name != dotted.substr(0, dot)) continue;
    return dot == dotted.size() ? &info : find_param(info.fields, dotted.substr(dot + 1));
  }
  return nullptr;
}

// "dataset.limit" names a kind, too, where a parameter alone would say too little.
std::string kind_of(const std::string& here) {
  const std::string kind = here.substr(0, std::min(here.find('.'), here.size()));
  const StageKind* found = here.find('.') == std::string::npos ? nullptr : find_stage_kind(kind);
  return found != nullptr && find_param(found->params, here.substr(kind.size() + 1)) != nullptr ? kind : "";
}

bool are_of(const std::vector<ParamInfo>& infos, const std::string& kind) {
  const auto& own = find_stage_kind(kind)->params;
  return std::equal(own.begin(), own.end(), infos.begin(), infos.end(),
                    [](const ParamInfo& a, const ParamInfo& b) { return a.name == b.name; });
}

// Where a name of ours is allowed, said of a place where it is not.
std::string place_of(const std::string& here) {
  if (here.starts_with("recipe.")) return "`" + here.substr(7) + "` of the recipe";
  if (const std::string kind = kind_of(here); !kind.empty()) {
    const std::string& section = find_stage_kind(kind)->section;
    return fmt::format(
        "`{}` of {}", here.substr(kind.size() + 1),
        kind_of_section(section) != nullptr ? "an entry under `" + section + ":`" : "the stage kind " + kind);
  }
  const auto kinds = kinds_with(here);
  if (kinds.empty()) return {};
  return fmt::format("`{}` of the stage kind{} {}", here, kinds.size() == 1 ? "" : "s",
                     fmt::join(kinds, kinds.size() == 2 ? " and " : ", "));
}

const ForeignKey* find_foreign(const std::string& word) {
  const auto found = std::find_if(kForeign.begin(), kForeign.end(), [&](const ForeignKey& f) { return word == f.key; });
  return found == kForeign.end() ? nullptr : &*found;
}

}  // namespace

std::span<const ForeignKey> foreign_keys() {
  return kForeign;
}

std::vector<std::string> kinds_with(const std::string& param) {
  std::vector<std::string> out;
  for (const StageKind& kind : stage_catalogue()) {
    if (find_param(kind.params, param) != nullptr) out.push_back(kind.kind);
  }
  return out;
}

KeyHint hint_for(const std::string& key, const std::vector<ParamInfo>& infos) {
  const auto dot = key.rfind('.');
  const std::string word = dot == std::string::npos ? key : key.substr(dot + 1);
  const ForeignKey* foreign = find_foreign(word);
  const std::string remark = foreign == nullptr ? "" : foreign->remark;
  if (foreign != nullptr && *foreign->here == '\0') return {"unknown key; there is none here: " + remark, {}};
  std::string here = foreign == nullptr ? word : foreign->here;
  if (const std::string kind = kind_of(here); !kind.empty() && are_of(infos, kind)) here.erase(0, kind.size() + 1);
  const std::string and_more = remark.empty() ? "" : "; " + remark;
  if (here != key && find_param(infos, here) != nullptr) {
    return {fmt::format("unknown key; it is called `{}` here{}", here, and_more), here};
  }
  const std::string place = place_of(here);
  if (place.empty()) return {};
  return {fmt::format("unknown key; it is {}{}", place, and_more), {}};
}

void explain_unknown(ParamIssue& issue, const std::vector<ParamInfo>& infos) {
  if (!issue.message.starts_with("unknown key")) return;
  const std::string word = issue.path.substr(issue.path.rfind('.') + 1);  // npos + 1 is 0
  // A name that is nearly right here is likelier meant than the same word of another place.
  if (find_foreign(word) == nullptr && !issue.suggestion.empty()) return;
  KeyHint hint = hint_for(issue.path, infos);
  if (hint.message.empty()) return;
  issue.message = std::move(hint.message);
  issue.suggestion = std::move(hint.nearest);
}

}  // namespace plumb
