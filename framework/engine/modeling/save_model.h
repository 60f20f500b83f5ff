// A model's folder with weights of the caller's making.
//
//   save_weights(model, "out/", at::kBFloat16, tensors);      // config.json, tokenizer and the rest are the model's
//
// Thread contract: [setup].
#pragma once

#include <filesystem>
#include <vector>

#include "framework/engine/modeling/language_model.h"
#include "framework/engine/modeling/safetensors.h"

namespace plumb {

// `type`: what config.json says of the tensors, float32 or bfloat16.
void save_weights(const LanguageModel& model, const std::filesystem::path& folder, at::ScalarType type,
                  const std::vector<TensorToWrite>& tensors);

}  // namespace plumb
