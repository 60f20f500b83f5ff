// What a stage would need on a GPU: arithmetic from configurations and settings, before weights or data are there.
//
//   auto e = estimate_on(stage, plan, Accelerator{});
//   e->bytes > accelerator.memory → it does not fit
//
// These are the numbers of one process on one GPU; what several ranks would share is not counted. For time, rows
// have min(max_length, kAssumedTokens) tokens and a selection yields one pair a prompt or `max_pairs`, so a reward
// gap that keeps more takes as much longer; for memory, rows have max_length tokens. A token costs 2 operations a
// weight forwards, and 4 more backwards when the weights are trained, 2 when adapters are; logits that are too many
// to keep are computed twice. An online optimizer samples its answers, scores them, computes them once without
// gradients by policy and reference, and visits them rollout.inner_epochs times.
// Thread contract: functions are [any].
#pragma once

#include <cstdint>
#include <optional>

#include "framework/core/pipeline/plan.h"

namespace plumb {

// An A100 with 40 GB, the paper's: bfloat16 dense operations and bytes of memory traffic a second, of data sheets. The
// share of them that is reached is an assumption.
struct Accelerator {
  double operations = 312e12, traffic = 1.555e12;
  std::uint64_t memory = std::uint64_t{40} << 30;
  double reached = 0.4;
};

inline constexpr std::int64_t kAssumedTokens = 512;

struct GpuEstimate {
  std::uint64_t bytes = 0;        // at the peak
  std::optional<double> seconds;  // absent when nothing says how many rows there are
};

// Nothing for a stage without a model, or one that is cheap.
std::optional<GpuEstimate> estimate_on(const PlannedStage& stage, const Plan& plan, const Accelerator& on);

// Rows of a stage's artifact, prompts with all their answers counted once, as far as the recipe says.
std::optional<std::int64_t> rows_made_by(const PlannedStage& stage, const Plan& plan);

// Rows that reach a stage, as far as the recipe says: limits of datasets, answers a prompt, max_pairs.
std::optional<std::int64_t> rows_into(const PlannedStage& stage, const Plan& plan);

}  // namespace plumb
