// What a stage will need, as far as configurations tell: estimates, without activations and without what data decide.
//
//   StageEstimate e = estimate(stage, plan);
//   if (e.memory_bytes) …                       // weights, gradients, moments, caches of one prompt
//
// Sizes come from config.json keys (or the recipe's `config`), never from weights. Time comes from the most similar
// artifact that was made before.
// Thread contract: functions are [any].
#pragma once

#include <cstdint>
#include <optional>

#include "framework/pipeline/plan.h"

namespace plumb {

struct StageEstimate {
  struct Shape {
    std::uint64_t hidden, layers, heads, kv_width;
  };
  std::optional<Shape> shape;                 // of the stage's model
  std::optional<std::uint64_t> parameters;    // of the stage's model
  std::optional<std::uint64_t> disk_bytes;    // of its artifact
  std::optional<std::uint64_t> memory_bytes;  // at its peak
  std::optional<double> seconds;              // that the most similar artifact took
};

StageEstimate estimate(const PlannedStage& stage, const Plan& plan);

// Parameters of a decoder with this config.json: embeddings, layers, final norm, head. Nothing when a size is missing.
// `vocabulary`: used when the configuration has none.
std::optional<std::uint64_t> count_parameters(const Value& config, std::uint64_t vocabulary = 0);

}  // namespace plumb
