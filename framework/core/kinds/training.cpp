#include "framework/core/kinds/training.h"

namespace plumb {
namespace {

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

}  // namespace

Declared<TrainingSettings> declare_training(const char* longer) {
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
  p.add(&S::gradient_checkpointing, "gradient_checkpointing",
        "keep the input of each layer only and compute the layer again for the gradient: the same result, for a third "
        "more work in far less memory; several ranks that train all weights then split the layers among them, too");
  p.include(&S::placement, Placement::params());
  d.rule(broken_training);
  return d;
}

Params<LoraParams> lora_params() {
  Params<LoraParams> p{"low-rank adapters on linear layers, initialised as in PEFT", "arXiv:2106.09685"};
  p.add(&LoraParams::r, "r", "rank of the adapters").at_least(1);
  p.add(&LoraParams::alpha, "alpha", "their output is scaled by alpha / r").above(0);
  p.add(&LoraParams::dropout, "dropout", "on their input while training").at_least(0).below(1);
  p.add(&LoraParams::target_modules, "target_modules", "names of linear layers; empty: the architecture's default");
  return p;
}

}  // namespace plumb
