// Folding attached adapters into the weights below them.
//
//   const MergeLoss loss = merge_adapter(model);     // model.lora is unset, its weights hold what they can
//
// Thread contract: [setup].
#pragma once

#include "framework/engine/modeling/language_model.h"
#include "framework/engine/modeling/merge_loss.h"

namespace plumb {

// [out, in] float: what the layer's adapters add to its weight, DoRA's m (W + scale B A) / ‖W + scale B A‖ − W included;
// undefined without one.
at::Tensor adapter_update(const Linear& layer);
// [out, in] float: the layer's weight (of 8 bits: what they stand for) with what its adapters add.
at::Tensor adapted_weight(const Linear& layer);
// Folds the adapters into the weights, in their type, and detaches them. In float32 nothing is lost but rounding of one
// part in 2^24; what a 16-bit type loses is measured.
MergeLoss merge_adapter(LanguageModel& model);

}  // namespace plumb
