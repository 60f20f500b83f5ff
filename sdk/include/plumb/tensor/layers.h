// The layers of a model, run where the framework can get between them: it may forget what a layer has computed, and run
// it again when its gradient is due.
//
//   at::Tensor hidden(const plumb::TokenBatch& batch) {
//     const auto layer = [this, &attention = batch.attention](std::int64_t i, const at::Tensor& x) {
//       return x + layers.at(static_cast<std::size_t>(i))(x, attention);
//     };
//     return plumb::run_layers(count, at::embedding(table, batch.ids), layer);
//   }
//
// DecoderModel does this for its layers. The function that is given is called again after `hidden` has returned, from
// another thread perhaps: what it needs of the pass it holds by value (angles, positions), except for the attention,
// which lives as long. It gives the same bits whenever it is given the same x and the same random state.
// Thread contract: [lane]; who runs the layers is a setting of the thread.
#pragma once

#include <cstdint>
#include <functional>

#include "plumb/tensor/torch.h"

namespace plumb {
inline namespace v1 {

// Layer `index` from 0: x [tokens, hidden] -> the same shape.
using LayerFunction = std::function<at::Tensor(std::int64_t index, const at::Tensor& x)>;

// layer(count - 1, … layer(1, layer(0, x))): by whoever runs the layers on this thread, one after another when nobody
// does.
at::Tensor run_layers(std::int64_t count, at::Tensor x, const LayerFunction& layer);

class LayerRunner {
 public:
  virtual ~LayerRunner();
  // What layer(index, x) gives.
  virtual at::Tensor run(std::int64_t index, const at::Tensor& x, const LayerFunction& layer) = 0;
};

// While one lives, `runner` runs the layers on this thread.
class LayersThrough {
 public:
  explicit LayersThrough(LayerRunner& runner);
  ~LayersThrough();
  LayersThrough(const LayersThrough&) = delete;
  LayersThrough& operator=(const LayersThrough&) = delete;
  [[nodiscard]] static LayerRunner* current();  // null: nobody

 private:
  LayerRunner* before_;
};

// layer(index, x), of which x alone is kept: backward runs the layer again, with the random state and the switch of
// the adapters (AdaptersOff) as they were, and with the same bits. Gradients of weights go straight into their grad(),
// so ask for them with backward(), not with autograd::grad().
at::Tensor checkpointed(std::int64_t index, const at::Tensor& x, LayerFunction layer);

}  // namespace v1
}  // namespace plumb
