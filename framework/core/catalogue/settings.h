// The parameters of the stage kinds whose bodies are in the engine: one struct each, declared in kinds/KIND.cpp. Names
// are HF's and TRL's where they have one.
//
//   auto settings = sft_params().parse(context.params());
//
// Thread contract: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plumb/params.h"
#include "plumb/placement.h"

namespace plumb {

// Shared by every training stage, spliced into its declaration.
struct TrainingSettings {
  std::int64_t batch_size = 64;       // sequences (sft), pairs (dpo, reward_model) per update; answers per step (ppo)
  std::int64_t micro_batch_size = 0;  // per forward pass; 0: the whole batch
  double learning_rate = 1e-5;
  std::string lr_scheduler_type = "linear";  // linear, cosine, constant
  double warmup_ratio = 0;                   // W = ceil(ratio · T)
  std::int64_t warmup_steps = 0;             // used when > 0, before the ratio
  double num_train_epochs = 1;
  std::int64_t max_steps = 0;  // > 0: instead of epochs
  double weight_decay = 0;
  double adam_beta1 = 0.9, adam_beta2 = 0.999, adam_epsilon = 1e-8;
  double max_grad_norm = 1.0;      // 0: no clipping
  std::int64_t max_length = 1024;  // tokens of prompt and completion; longer rows are dropped and counted
  std::int64_t logging_steps = 10;
  std::int64_t eval_steps = 0;          // 0: only at the end
  std::int64_t save_steps = 100;        // checkpoint interval; also on SIGTERM
  bool gradient_checkpointing = false;  // layers are computed again for the gradient
  Placement placement;                  // of every model of the stage; int8 weights: of a frozen base
};

struct LoraParams {  // `lora:` in a recipe; absent: full fine-tuning
  std::int64_t r = 8;
  double alpha = 16;
  double dropout = 0;
  std::vector<std::string> target_modules;
};

struct RolloutParams {                // `rollout:` of an online optimizer
  std::int64_t responses = 1;         // answers to a prompt
  std::int64_t max_new_tokens = 512;  // TRL's response_length
  double temperature = 1;
  std::int64_t inner_epochs = 4;              // visits to each batch of answers (TRL's num_ppo_epochs)
  std::int64_t mini_batches = 1;              // updates in each visit (num_mini_batches)
  std::optional<double> missing_eos_penalty;  // subtracted from the reward of an answer that was cut
};

struct ModelSettings {                      // models.NAME
  std::optional<std::string> path;          // an HF folder
  std::optional<std::string> architecture;  // or: random weights of this model component
  Value config;                             // config.json keys (hidden_size, …) for random weights
  std::optional<std::string> tokenizer;     // stage of kind tokenizer, or a folder's model
  std::optional<std::string> chat_format;   // required for random weights; overrides and is stored
};

struct TokenizerSettings {          // stage: tokenizer — trains a byte-level BPE, or takes one that exists
  std::optional<std::string> data;  // texts, demonstrations or preferences
  std::optional<std::string> path;  // or: a folder with files that a tokenizer plugin reads
  std::int64_t vocabulary_size = 512;
};

struct LanguageModelSettings {  // stage: language_model — next-token loss on every token (the reward model's backbone)
  std::string model, data;
  ComponentRef optimizer{"sft", {}};
  TrainingSettings training;
};

struct SftSettings {  // stage: sft
  std::string model, data;
  ComponentRef optimizer{"sft", {}};
  std::string learn = "assistant";  // "assistant" or "all" tokens
  std::optional<std::string> eval;  // held-out demonstrations: eval_loss
  Value lora;
  std::string merge = "none";  // with lora: beside the adapter, a whole model in this type: float32 or bfloat16
  TrainingSettings training;
};

struct RewardModelSettings {  // stage: reward_model
  std::string model, data;
  ComponentRef optimizer{"bradley-terry", {}};
  std::optional<std::string> eval;  // held-out preferences: eval_accuracy, eval_margin
  Value lora;
  std::string merge = "none";  // with lora: beside the adapter, a whole model in this type: float32 or bfloat16
  TrainingSettings training;
};

struct SampleSettings {  // stage: sample
  std::string model, prompts;
  ComponentRef generator{"local", {}};
  std::int64_t k = 16;
  std::int64_t max_new_tokens = 512;
  double temperature = 1.0;
  std::int64_t top_k = 50;
  double top_p = 0.98;
};

struct ScoreSettings {  // stage: score
  std::string responses;
  ComponentRef reward{"classifier-head", {}};
  std::optional<std::string> reward_model;  // handed to the reward component as its `path`
  std::string normalise = "none";           // none, or standardise: (r − mean) / std over the artifact; recorded
};

struct TrainSettings {      // stage: train
  std::string model, data;  // pairs, preferences, scored, demonstrations or prompts, as the optimizer takes
  ComponentRef optimizer{"dpo", {}};
  std::optional<std::string> reference;  // default: the starting model itself
  std::optional<std::string> eval;       // held-out pairs or preferences: eval_rewards/accuracies, eval_rewards/margins
  std::string pair_batching = "exact";   // exact, grouped, or capped
  std::int64_t pair_cap = 8;             // of capped
  std::optional<std::string> reward_model;  // of an online optimizer: handed to `reward` as its path
  std::optional<ComponentRef> reward;       // of an online optimizer; StageKind::needed_defaults fills it in
  Value rollout;                            // RolloutParams of an online optimizer
  std::optional<std::string> value_model;   // of an online optimizer with values: a model of their own
  std::optional<double> desirable_above;    // scored answers: desirable above this reward; absent: above the mean
  Value lora;
  std::string merge = "none";  // as of sft
  TrainingSettings training;
};

struct EvaluateSettings {  // stage: evaluate
  std::vector<std::string> models;
  std::optional<std::string> baseline;  // one of the models; win rates and paired differences are against it
  std::string prompts;                  // held-out
  std::vector<ComponentRef> evaluators;
  std::optional<ComponentRef> judge;
  std::optional<std::string> reward_model;
  std::string overlong = "error";  // for reward_model: error, truncate-left
  std::int64_t max_new_tokens = 512;
  double temperature = 0;
  std::int64_t top_k = 0;
  double top_p = 1;
  std::int64_t samples = 1;  // answers per prompt and model
  std::int64_t rows = 128;   // answers in flight
  Placement placement;       // of the models and of the reward model
};

Params<LoraParams> lora_params();
Params<RolloutParams> rollout_params();
Params<ModelSettings> model_params();
Params<TokenizerSettings> tokenizer_params();
Params<LanguageModelSettings> language_model_params();
Params<SftSettings> sft_params();
Params<RewardModelSettings> reward_model_params();
Params<SampleSettings> sample_params();
Params<ScoreSettings> score_params();
Params<TrainSettings> train_params();
Params<EvaluateSettings> evaluate_params();

}  // namespace plumb
