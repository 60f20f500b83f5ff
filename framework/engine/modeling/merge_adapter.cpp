#include "framework/engine/modeling/merge_adapter.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/mm.h>

namespace plumb {

at::Tensor adapter_update(const Linear& layer) {
  at::Tensor sum;
  for (const LoraAdapter* lora = layer.adapter.get(); lora != nullptr; lora = lora->below.get()) {
    const at::Tensor update = at::mm(lora->b.detach(), lora->a.detach()).mul_(lora->scale);
    sum = sum.defined() ? sum.add_(update) : update;
  }
  return sum;
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
  return sums.loss();
}

}  // namespace plumb
