// What the kinds that train a model declare alike.
//
//   Declared<SftSettings> d{"supervised fine-tuning on demonstrations"};
//   declare_lora(d);                                            // `lora` and `merge`
//   d.include(&SftSettings::training, declare_training());      // batch_size, learning_rate …
//
// Thread contract: functions are [any].
#pragma once

#include "framework/core/catalogue/declared.h"
#include "framework/core/catalogue/settings.h"

namespace plumb {

// `longer`: what becomes of rows longer than max_length.
Declared<TrainingSettings> declare_training(
    const char* longer = "longer rows (prompt and answer) are left out and counted");

template <class S>
std::string broken_eval_steps(const S& s) {
  if (s.training.eval_steps == 0 || s.eval) return {};
  return "eval_steps: has no effect without `eval`, the rows to evaluate on";
}

// 8-bit weights are frozen: a rule of stages that train all weights or adapters.
template <class S>
std::string frozen_only(const S& s) {
  if (!s.training.placement.int8() || s.lora.is_map()) return {};
  return "weights: 8-bit weights cannot be trained; give lora, whose adapters can";
}

inline constexpr const char* kLoraDoc = "train low-rank adapters instead of all weights; {} takes the defaults";

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

}  // namespace plumb
