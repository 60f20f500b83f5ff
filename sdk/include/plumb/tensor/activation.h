// The activations that config.json names, as transformers' ACT2FN computes them.
//
//   const plumb::Activation act = plumb::read_activation(config, "hidden_act", "silu");
//   at::Tensor y = plumb::activate(act, x);          // the same shape and type; differentiable
//
// Thread contract: [any].
#pragma once

#include "plumb/tensor/hf_config.h"
#include "plumb/tensor/torch.h"

namespace plumb {
inline namespace v1 {

// gelu_tanh: x/2 (1 + tanh(√(2/π) (x + 0.044715 x³))); gelu_quick: x σ(1.702 x); relu_squared: max(x, 0)².
enum class Activation { gelu, gelu_tanh, gelu_quick, silu, relu, relu_squared, tanh, sigmoid, identity };

// By transformers' names: gelu and gelu_python; gelu_new, gelu_fast, gelu_accurate, gelu_pytorch_tanh and
// gelu_python_tanh (one function); quick_gelu; silu and swish; relu; relu2; tanh; sigmoid; linear. `fallback` when the
// key is absent or null. Error(data) names any other.
Activation read_activation(const HfConfig& config, const char* key, const std::string& fallback);

at::Tensor activate(Activation activation, const at::Tensor& x);

}  // namespace v1
}  // namespace plumb
