// An adapter's folder as one whole model: its update folded into the weights, and how much of it the weights can hold.
//
//   MergeLoss loss = write_merged("runs/quickstart/aligned", "out/", "bfloat16", registry, host);
//   if (!loss.faithful()) …      // much of the update was rounded away
//
// Thread contract: [lane].
#pragma once

#include <filesystem>
#include <string>

#include "framework/engine/modeling/merge_loss.h"
#include "plumb/host.h"

namespace plumb {

class Registry;

inline constexpr const char* merged_folder_name = "merged";  // in an adapter's folder that a stage made

// Writes the model of an adapter's folder as a Hugging Face folder of weights in `dtype` (float32, bfloat16), a reward
// model when `reward`. A tensor at a time; the base is a view of its file. Error(data) for a folder that is no
// adapter's.
MergeLoss write_merged(const std::filesystem::path& adapter, const std::filesystem::path& folder,
                       const std::string& dtype, bool reward, const Registry& registry, Host& host);

// The same figures of a folder that holds the merged model already.
MergeLoss measure_merged(const std::filesystem::path& adapter, const std::filesystem::path& merged, bool reward,
                         const Registry& registry, Host& host);

// Whether the adapter in this folder makes a reward model of its base (PEFT's task_type SEQ_CLS), or stands on one.
bool is_reward_adapter(const std::filesystem::path& adapter);

}  // namespace plumb

// For commands, which reach the engine by symbol (door/engine.h). `out`: to_value(loss), "text", "faithful".
extern "C" void plumb_engine_merge(const std::filesystem::path& adapter, const std::filesystem::path& folder,
                                   const std::string& dtype, const plumb::Registry& registry, plumb::Host& host,
                                   plumb::Value& out);
