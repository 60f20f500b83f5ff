// Gradient checkpointing: of every layer its input alone is kept, and backward computes the layer again.
//
//   CheckpointedLayers layers(model.model, attention);
//   const LayersThrough scope(layers);
//   at::Tensor hidden = model.model.call(&Model::hidden, TokenBatch{ids, positions, *attention});
//
// Losses and gradients have the bits that they have without, dropout included; on a GPU, where some kernels add in any
// order, to rounding. Where no gradient is wanted, layers run as ever. Thread contract: [lane]; backward may run on
// threads of autograd's.
#pragma once

#include <memory>

#include "framework/core/components/made.h"
#include "framework/engine/modeling/language_model.h"
#include "plumb/tensor/layers.h"

namespace plumb {

class CheckpointedLayers final : public LayerRunner {
 public:
  // The attention is kept until backward is over.
  CheckpointedLayers(Made<Model> model, std::shared_ptr<Attention> attention)
      : model_(std::move(model)), attention_(std::move(attention)) {}
  at::Tensor run(std::int64_t index, const at::Tensor& x, const LayerFunction& layer) override;

 private:
  Made<Model> model_;
  std::shared_ptr<Attention> attention_;
};

// Throws Error(recipe) that names a model whose `hidden` does not run its layers through run_layers, found by a pass of
// one token: its activations would all be kept.
void require_layers(LanguageModel& model);

}  // namespace plumb
