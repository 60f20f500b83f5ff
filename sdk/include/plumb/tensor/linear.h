// A linear layer that the framework can adapt: y = x Wᵀ + b, plus scale · x Aᵀ Bᵀ while a LoRA adapter is on.
//
//   const plumb::Linear& q = parameters.linear("model.layers.0.self_attn.q_proj", hidden, heads * dim);
//   at::Tensor queries = q(x);                     // [tokens, hidden] -> [tokens, heads * dim]
//
// Model code never sees whether an adapter is attached, on, or whether the weight is quantised.
// Thread contract: operator() is [any]; attaching and switching are [setup].
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "plumb/tensor/torch.h"

namespace plumb {
inline namespace v1 {

// PEFT's LoRA: A [r, in] kaiming_uniform(a = √5), B [out, r] zero, scale alpha / r, or alpha / √r (rank-stabilised). With
// y₀ = x Wᵀ, or what the adapters below make of it: y = gain · (y₀ + scale · x Aᵀ Bᵀ) + b.
struct LoraAdapter {
  at::Tensor a, b;
  at::Tensor gain;  // [out] float, DoRA's m / ‖W + scale B A‖ by rows (arXiv:2402.09353); undefined: 1
  double scale = 1;
  double dropout = 0;  // applied to the adapter's input while `training` is set
  bool training = false;
  // It belongs to the model that another is trained above: frozen, and on while an AdaptersOff lives.
  bool of_base = false;
  // The folder of that model holds it, so that an adapter above it is saved by itself.
  bool in_folder = false;
  std::shared_ptr<LoraAdapter> below;  // the next, itself of_base; null: none
};

class Linear {
 public:
  at::Tensor weight;                     // [out, in]
  at::Tensor bias;                       // [out], or undefined
  std::shared_ptr<LoraAdapter> adapter;  // null when none is attached
  // Row-wise 8-bit weight: weight is int8 and weight_scale [out] float; undefined for a plain layer.
  at::Tensor weight_scale;

  // x [..., in] -> [..., out], in x's type.
  at::Tensor operator()(const at::Tensor& x) const;

  // The adapter's switch is process-wide per thread: `AdaptersOff off;` gives the base model's output in its scope.
};

// While one lives, every Linear on this thread ignores its adapter unless that is of_base: the reference model of LoRA
// training.
class AdaptersOff {
 public:
  AdaptersOff();
  ~AdaptersOff();
  AdaptersOff(const AdaptersOff&) = delete;
  AdaptersOff& operator=(const AdaptersOff&) = delete;
  [[nodiscard]] static bool active();

 private:
  bool before_;
};

}  // namespace v1
}  // namespace plumb
