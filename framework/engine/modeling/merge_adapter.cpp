#include "framework/engine/modeling/merge_adapter.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/mm.h>

namespace plumb {

namespace {

at::Tensor wide_weight(const Linear& layer) {
  const at::Tensor weight = layer.weight.detach().to(at::kFloat);
  return layer.weight_scale.defined() ? weight * layer.weight_scale.unsqueeze(1) : weight;
}

// Of this adapter and those below it.
at::Tensor update_from(const LoraAdapter* lora, const Linear& layer) {
  at::Tensor sum;
  for (; lora != nullptr; lora = lora->below.get()) {
    at::Tensor update = at::mm(lora->b.detach(), lora->a.detach()).mul_(lora->scale);
    if (lora->gain.defined()) {  // of all that lies below
      const at::Tensor below = update_from(lora->below.get(), layer), weight = wide_weight(layer);
      if (below.defined()) update.add_(below);
      update.add_(weight).mul_(lora->gain.unsqueeze(1)).sub_(weight);
    }
    sum = sum.defined() ? sum.add_(update) : update;
    if (lora->gain.defined()) break;
  }
  return sum;
}

}  // namespace

at::Tensor adapter_update(const Linear& layer) {
  return update_from(layer.adapter.get(), layer);
}

at::Tensor adapted_weight(const Linear& layer) {
  const at::Tensor update = adapter_update(layer), weight = wide_weight(layer);
  return update.defined() ? weight + update : weight;
}

MergeLoss merge_adapter(LanguageModel& model) {
  MergeSums sums;
  for (const std::string& name : model.parameters->linear_names()) {
    Linear& layer = *model.parameters->find_linear(name);
    if (!layer.adapter) continue;
    const at::Tensor& weight = layer.weight;
    if (!weight.is_floating_point())
      throw Error(ErrorCode::run_failed, "an adapter cannot be folded into 8-bit weights");
    const at::Tensor update = adapter_update(layer), wide = weight.detach().to(at::kFloat);
    const at::Tensor merged = (wide + update).to(weight.scalar_type());
    sums.add(wide, merged.to(at::kFloat), update);
    layer.weight = merged.set_requires_grad(weight.requires_grad());
    layer.adapter = nullptr;
  }
  model.lora.reset();
  model.adapter = nullptr;
  model.adds_up = true;
  return sums.loss();
}

}  // namespace plumb
