#include "framework/engine/modeling/quantised.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <cctype>

namespace plumb {
namespace {

// Whether a part of "model.layers.3.mlp.up_proj" is a number.
bool in_a_block(const std::string& layer) {
  for (std::size_t begin = 0; begin < layer.size();) {
    const std::size_t end = std::min(layer.find('.', begin), layer.size());
    const auto digit = [](unsigned char c) { return std::isdigit(c) != 0; };
    if (end > begin && std::all_of(layer.data() + begin, layer.data() + end, digit)) return true;
    begin = end + 1;
  }
  return false;
}

}  // namespace

QuantisedRows quantise_rows(const at::Tensor& weight) {
  const at::NoGradGuard no_grad;
  const at::Tensor wide = weight.to(at::kFloat);
  at::Tensor scale = wide.abs().amax(1) / 127;
  scale = at::where(scale == 0, at::ones_like(scale), scale);  // NaN of a row with one, so that its outputs are NaN
  return {(wide / scale.unsqueeze(1)).round_().clamp_(-127, 127).to(at::kChar), scale};
}

std::set<std::string> quantised_names(Parameters& parameters) {
  std::set<std::string> names;
  for (const std::string& layer : parameters.linear_names()) {
    if (in_a_block(layer) && parameters.find(layer + ".weight") != nullptr) names.insert(layer + ".weight");
  }
  return names;
}

}  // namespace plumb
