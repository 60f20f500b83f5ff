#include "plumb/tensor/activation.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/tanh.h>

#include <utility>

#include "plumb/error.h"

namespace plumb {
inline namespace v1 {
namespace {

constexpr std::pair<const char*, Activation> kNames[] = {
    {"gelu", Activation::gelu},
    {"gelu_python", Activation::gelu},
    {"gelu_new", Activation::gelu_tanh},
    {"gelu_fast", Activation::gelu_tanh},
    {"gelu_accurate", Activation::gelu_tanh},
    {"gelu_pytorch_tanh", Activation::gelu_tanh},
    {"gelu_python_tanh", Activation::gelu_tanh},
    {"quick_gelu", Activation::gelu_quick},
    {"silu", Activation::silu},
    {"swish", Activation::silu},
    {"relu", Activation::relu},
    {"relu2", Activation::relu_squared},
    {"tanh", Activation::tanh},
    {"sigmoid", Activation::sigmoid},
    {"linear", Activation::identity},
};

}  // namespace

Activation read_activation(const HfConfig& config, const char* key, const std::string& fallback) {
  const std::string wanted = config.text(key, fallback);
  std::string known;
  for (const auto& [name, activation] : kNames) {
    if (wanted == name) return activation;
    known += (known.empty() ? "" : ", ") + std::string(name);
  }
  throw Error(ErrorCode::data, std::string("config.json: \"") + key + "\" is \"" + wanted + "\"; known are " + known);
}

at::Tensor activate(Activation activation, const at::Tensor& x) {
  switch (activation) {
    case Activation::gelu:
      return at::gelu(x);
    case Activation::gelu_tanh:
      return at::gelu(x, "tanh");
    case Activation::gelu_quick:
      return x * at::sigmoid(x * 1.702);
    case Activation::silu:
      return at::silu(x);
    case Activation::relu:
      return at::relu(x);
    case Activation::relu_squared:
      return at::relu(x).square();
    case Activation::tanh:
      return at::tanh(x);
    case Activation::sigmoid:
      return at::sigmoid(x);
    case Activation::identity:
      break;
  }
  return x;
}

}  // namespace v1
}  // namespace plumb
