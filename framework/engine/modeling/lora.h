// PEFT's LoRA on a model's linear layers: attaching, folding in, and PEFT's folder.
//
//   load_adapter(model, "adapter/", how);        // adapter_config.json, adapter_model.safetensors
//   save_adapter(model, "out/", "base");
//
// Thread contract: [setup].
#pragma once

#include <filesystem>

#include "framework/engine/modeling/language_model.h"
#include "framework/engine/modeling/merge_loss.h"

namespace plumb {

// Attaches the folder's adapter to an opened base. Error(data) for what is not LoRA as PEFT has it in its plain form, with
// ranks and alphas by layer (DoRA, biases, PiSSA, aLoRA and whatever is set that is not known), and
// for tensors that do not fit.
void load_adapter(LanguageModel& model, const std::filesystem::path& folder, const OpenModel& how);

// Whether the folder's adapter brings a reward head (PEFT's modules_to_save).
bool adapter_holds_score(const std::filesystem::path& folder);

// Makes the attached adapter a part of the model: frozen, on while an AdaptersOff lives, not among what is trainable.
// Another may be attached above it.
void freeze_adapter(LanguageModel& model);

// [out, in] float: what the layer's adapters add to its weight; undefined without one.
at::Tensor adapter_update(const Linear& layer);
// Folds the adapters into the weights, in their type, and detaches them. In float32 nothing is lost but rounding of one
// part in 2^24; what a 16-bit type loses is measured.
MergeLoss merge_adapter(LanguageModel& model);

// A PEFT folder whose base_model_name_or_path is `base`. An adapter above a frozen one is saved as the one adapter that
// adds what both add, of the sum of their ranks: [B₁ B₂] [A₁; A₂], so that it stands on the same base.
void save_adapter(const LanguageModel& model, const std::filesystem::path& folder, const std::string& base);

}  // namespace plumb
