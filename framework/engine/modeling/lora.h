// LoRA on a model's linear layers: attaching and freezing one, and PEFT's folder of it.
//
//   attach_lora(model, {.r = 8, .alpha = 16}, random);     // language_model.h
//   save_adapter(model, "out/", "base");
//
// Reading a folder is load_adapter.h, folding in merge_adapter.h. Thread contract: [setup].
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "framework/engine/modeling/language_model.h"

namespace plumb {

inline constexpr const char* adapter_tensors_name = "adapter_model.safetensors";
inline constexpr std::string_view adapter_prefix = "base_model.model.";  // of the names in it

// Makes the attached adapter a part of the model: frozen, on while an AdaptersOff lives, not among what is trainable.
// Another may be attached above it. One that does not add up (LanguageModel::adds_up) is from here on part of the base
// that model.base_folder names, its own folder.
void freeze_adapter(LanguageModel& model);

// A PEFT folder whose base_model_name_or_path is `base`. An adapter above a frozen one is saved as the one adapter that
// adds what both add, of the sum of their ranks: [B₁ B₂] [A₁; A₂], so that it stands on the same base. Those of the
// base's own folder (LoraAdapter::in_folder) are left to it. Error(run_failed) for an adapter that does not add up.
void save_adapter(const LanguageModel& model, const std::filesystem::path& folder, const std::string& base);

// What attaching and loading share. Puts an adapter above those that the layer has; `training`: A and B are trained.
void give_adapter(Linear& layer, LoraAdapter adapter, bool training);
// Makes model.adapter: parameters of the adapter that is not frozen, in the order of the layers, under PEFT's names.
void list_adapter(LanguageModel& model);
// The last parts of the layers' names that are saved with this adapter, as PEFT's target_modules lists them.
std::vector<std::string> adapted_suffixes(const LanguageModel& model);
// No gradients but the adapter's and the reward head's.
void freeze_base(LanguageModel& model);

}  // namespace plumb
