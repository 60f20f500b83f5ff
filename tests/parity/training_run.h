// What tests of training share: golden pairs, golden adapters, and the optimizers of the build.
//
//   LanguageModel policy = open_golden("micro-llama", {.training = true});
//   attach_golden_adapter(policy, "lora_init");
//   PairRows pairs = golden_pairs();
//
// Thread contract: one thread.
#pragma once

#include <string>

#include "framework/core/components/make.h"
#include "framework/engine/training/pair_rows.h"
#include "framework/engine/training/recording_context.h"
#include "framework/engine/training/trained_tensors.h"
#include "framework/engine/training/trainer.h"
#include "goldens.h"
#include "plumb/tensor/optimizer.h"

namespace plumb::test {

// The weights of a PEFT folder into the adapter that is attached.
inline void load_golden_adapter(const LanguageModel& model, const std::string& folder) {
  const SafetensorsFile file = golden_tensors(folder + "/adapter_model.safetensors");
  for (const Parameter* parameter : model.trainable()) {
    parameter->tensor->detach().copy_(file.tensor(parameter->name));
  }
}

// r 8, alpha 16 on q k v o.
inline void attach_golden_adapter(LanguageModel& model, const std::string& folder) {
  attach_lora(model, {8, 16, 0, {"q_proj", "k_proj", "v_proj", "o_proj"}}, Random(1));
  load_golden_adapter(model, folder);
}

inline PairRows golden_pairs() {
  PairRows rows;
  const Value document = golden_json("dpo_pairs.json");
  for (const Value& pair : document.as_list()) {
    rows.pairs.push_back({rows.groups.size(), 0, 1, 0.0});
    rows.names.push_back("golden-" + std::to_string(rows.groups.size()));
    rows.groups.push_back(
        {ids_of(pair.at("prompt_ids")), {ids_of(pair.at("chosen_ids")), ids_of(pair.at("rejected_ids"))}});
  }
  return rows;
}

template <class Kind>
Made<Kind> optimizer(const std::string& name, const Value& params = Value::map()) {
  return make<Optimizer>(plugins(), name, params, host()).as<Kind>();
}

}  // namespace plumb::test
