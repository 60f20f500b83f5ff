// PEFT's LoRA on a model's linear layers: attaching, folding in, and PEFT's folder.
//
//   load_adapter(model, "adapter/", how);        // adapter_config.json, adapter_model.safetensors
//   save_adapter(model, "out/");
//
// Thread contract: [setup].
#pragma once

#include <filesystem>

#include "framework/modeling/language_model.h"

namespace plumb {

// The base_model_name_or_path of an adapter folder; relative paths start at the folder. Error(data) when it is no
// folder.
std::filesystem::path adapter_base(const std::filesystem::path& folder);

// Attaches the folder's adapter to an opened base. Error(data) for what is not plain LoRA (DoRA, biases, patterns) and
// for tensors that do not fit.
void load_adapter(LanguageModel& model, const std::filesystem::path& folder, const OpenModel& how);

// W + scale · B A in W's type; W itself for a layer without an adapter. `full`: W of a layer that holds 8 bits of it.
at::Tensor merged_weight(const Linear& layer, const at::Tensor& full = {});
// Folds the adapter into the weights and detaches it.
void merge_adapter(LanguageModel& model);

void save_adapter(const LanguageModel& model, const std::filesystem::path& folder);

}  // namespace plumb
