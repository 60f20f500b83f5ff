// Attaching the adapter of a PEFT folder to an opened base.
//
//   load_adapter(model, "adapter/", how);        // adapter_config.json, adapter_model.safetensors
//
// Thread contract: [setup].
#pragma once

#include <filesystem>

#include "framework/engine/modeling/language_model.h"

namespace plumb {

// Attaches the folder's adapter to an opened base. Error(data) for what is not LoRA as PEFT has it in its plain form, with
// ranks and alphas by layer (DoRA, biases, PiSSA, aLoRA and whatever is set that is not known), and
// for tensors that do not fit.
void load_adapter(LanguageModel& model, const std::filesystem::path& folder, const OpenModel& how);

// Whether the folder's adapter brings a reward head (PEFT's modules_to_save).
bool adapter_holds_score(const std::filesystem::path& folder);

}  // namespace plumb
