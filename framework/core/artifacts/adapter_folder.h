// The folder of a PEFT adapter, as far as that needs no tensors: whether it is one, and where its base lies.
//
//   const fs::path config = whole_base("runs/quickstart/aligned").value() / "config.json";
//
// Thread contract: [any].
#pragma once

#include <filesystem>

#include "framework/result.h"

namespace plumb {

inline constexpr const char* adapter_config_name = "adapter_config.json";
inline constexpr int adapter_depth = 4;  // adapters over adapters, at most

// It has adapter_config.json and no config.json of its own.
bool is_adapter_folder(const std::filesystem::path& folder);

// The base that adapter_config.json names as base_model_name_or_path: an absolute path, or one that starts at the
// adapter's folder. Error(data) says what is wrong with it: no such key, no such folder.
Result<std::filesystem::path> adapter_base(const std::filesystem::path& folder);

// The folder with config.json that the model at `folder` rests on: itself, or the base of its adapter, and so on.
// Error(data) as adapter_base, and for adapters over adapters without end.
Result<std::filesystem::path> whole_base(const std::filesystem::path& folder);

}  // namespace plumb
