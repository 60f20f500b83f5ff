#include "sdk/check/tensor/tensors.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/DefaultDtype.h>
#include <c10/core/GradMode.h>

#include <limits>

namespace plumb::check {

at::Tensor draw_normal(Random random, at::IntArrayRef shape) {
  at::Tensor out = at::empty(shape, at::kDouble);
  double* data = out.mutable_data_ptr<double>();
  for (std::int64_t i = 0; i < out.numel(); ++i) data[i] = random.normal();
  return out;
}

at::Tensor draw_uniform(Random random, at::IntArrayRef shape, double low, double high) {
  at::Tensor out = at::empty(shape, at::kDouble);
  double* data = out.mutable_data_ptr<double>();
  for (std::int64_t i = 0; i < out.numel(); ++i) data[i] = low + (high - low) * random.uniform();
  return out;
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return std::numeric_limits<double>::infinity();
  if (a.numel() == 0) return 0;
  const at::Tensor x = a.detach().to(at::kDouble), y = b.detach().to(at::kDouble);
  const at::Tensor both_bad = x.isfinite().logical_or(y.isfinite()).logical_not();
  return at::where(both_bad, at::zeros_like(x), (x - y).abs()).max().item<double>();
}

std::string bytes_of(const at::Tensor& tensor) {
  const at::Tensor plain = tensor.detach().contiguous();
  return {static_cast<const char*>(plain.const_data_ptr()), plain.nbytes()};
}

namespace {

void quieten() {
  at::set_num_threads(1);
  at::detail::getDefaultCPUGenerator();
}

void state(std::map<std::string, std::string>& into) {
  const auto generator = at::detail::getDefaultCPUGenerator();
  into["LibTorch's random state"] = std::to_string(std::hash<std::string>()(bytes_of(generator.get_state())));
  into["LibTorch's gradient mode"] = c10::GradMode::is_enabled() ? "on" : "off";
  into["LibTorch's threads"] = std::to_string(at::get_num_threads());
  into["LibTorch's default type"] = std::string(c10::get_default_dtype().name());
  into["LibTorch's deterministic mode"] = at::globalContext().deterministicAlgorithms() ? "on" : "off";
  into["LibTorch's reduced precision"] =
      at::globalContext().float32MatmulPrecision() == at::Float32MatmulPrecision::HIGHEST ? "no" : "yes";
}

}  // namespace

extern "C" const TensorKit* plumb_check_tensor_kit() {
  static const TensorKit kit{{model_kind(), optimizer_kind()}, quieten, state};
  return &kit;
}

}  // namespace plumb::check
