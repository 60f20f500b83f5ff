// What a stage will need, as far as configurations tell: estimates, without what data decide.
//
//   StageEstimate e = estimate(stage, plan);
//   if (e.memory_bytes) …                       // weights, gradients, moments, keys and values; without activations
//
// Sizes come from config.json keys (or the recipe's `config`), never from weights. Time comes from the most similar
// artifact that was made before. Prompts are taken to have kAssumedPrompt tokens.
// Thread contract: functions are [any].
#pragma once

#include <cstdint>
#include <optional>

#include "framework/core/catalogue/estimate.h"
#include "framework/core/pipeline/plan.h"

namespace plumb {

// The numbers of a decoder: embeddings, layers, final norm, head.
struct DecoderSize {
  std::uint64_t parameters = 0;
  // Of these, the weights of the layers' linear maps and how many rows they have: what 8-bit weights narrow.
  std::uint64_t linear_weights = 0, linear_rows = 0;
  std::uint64_t head = 0;  // weights of the map to logits

  // In memory, `width` bytes each. `int8`: the linear weights in 8 bits, a float32 scale for each of their rows.
  [[nodiscard]] std::uint64_t bytes(std::uint64_t width, bool int8 = false) const {
    return int8 ? (parameters - linear_weights) * width + linear_weights + 4 * linear_rows : parameters * width;
  }
};

inline constexpr std::int64_t kAssumedPrompt = 256;  // tokens

// A boolean of a map, `otherwise` where there is none.
bool flag_at(const Value& config, const char* key, bool otherwise);

// Whether an evaluator of the stage asks each model twice a prompt.
bool holds_second_turn(const PlannedStage& stage);

// Whether another program's engine samples for the stage.
bool sampled_elsewhere(const PlannedStage& stage);

// `on_gpu`: as if it computed on a GPU, whatever device the recipe names.
StageEstimate estimate(const PlannedStage& stage, const Plan& plan, bool on_gpu = false);

// Of a decoder with this config.json. Nothing when a size is missing. `vocabulary`: used when the configuration has
// none.
std::optional<DecoderSize> measure_decoder(const Value& config, std::uint64_t vocabulary = 0);

}  // namespace plumb
