#include "framework/engine/modeling/checkpointed_layers.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <array>

#include "framework/engine/modeling/attention.h"

namespace plumb {
namespace {

class Counted final : public LayerRunner {
 public:
  at::Tensor run(std::int64_t index, const at::Tensor& x, const LayerFunction& layer) override {
    ++count;
    return layer(index, x);
  }
  std::int64_t count = 0;
};

}  // namespace

at::Tensor CheckpointedLayers::run(std::int64_t index, const at::Tensor& x, const LayerFunction& layer) {
  // Named as the model's when it fails, whoever calls it then.
  return checkpointed(index, x, [model = model_, attention = attention_, layer](std::int64_t i, const at::Tensor& in) {
    return model.call([&](Model&) { return layer(i, in); });
  });
}

void require_layers(LanguageModel& model) {
  const at::NoGradGuard no_grad;
  constexpr std::array<std::int64_t, 1> one{1};
  SequenceAttention attention = SequenceAttention::causal(one);
  const at::Tensor token = at::zeros({1}, at::TensorOptions(at::kLong).device(model.device()));
  Counted layers;
  {
    const LayersThrough scope(layers);
    static_cast<void>(model.model.call(&Model::hidden, TokenBatch{token, token, attention}));
  }
  const std::int64_t wanted = model.shape().layers;
  if (layers.count == wanted) return;
  throw Error(ErrorCode::recipe,
              fmt::format("gradient_checkpointing: {} runs {} of its {} layers where they can be run again for the "
                          "gradient (run_layers, plumb/tensor/layers.h); leave the key out, and lower micro_batch_size "
                          "or max_length for less memory",
                          model.model.name(), layers.count, wanted));
}

}  // namespace plumb
