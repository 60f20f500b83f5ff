#include "plumb/tensor/fused.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/rms_norm.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>

namespace plumb {
inline namespace v1 {
namespace {

constexpr std::int64_t kGrain = 32768;  // elements for one thread at least
constexpr std::int64_t kBlock = 128;    // tokens whose weight gradients are summed together, whatever the threads
constexpr int kLanes = 16;              // partial sums side by side: they vectorise, and their order is fixed

// Σ f(i) over [0, n)
template <class F>
float lane_sum(std::int64_t n, const F& f) {
  float part[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int l = 0; l < kLanes; ++l) part[l] += f(i + l);
  }
  for (; i < n; ++i) part[0] += f(i);
  for (int step = kLanes / 2; step > 0; step /= 2) {
    for (int l = 0; l < step; ++l) part[l] += part[l + step];
  }
  return part[0];
}

class RmsNorm : public torch::autograd::Function<RmsNorm> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x_any,
                            const at::Tensor& weight, double epsilon) {
    const at::Tensor x = x_any.contiguous();
    const std::int64_t tokens = x.size(0), width = x.size(1);
    at::Tensor out = at::empty({tokens, width}, x.options()), inverse = at::empty({tokens}, x.options());
    const auto *from = x.const_data_ptr<float>(), *w = weight.const_data_ptr<float>();
    auto *to = out.mutable_data_ptr<float>(), *r = inverse.mutable_data_ptr<float>();
    at::parallel_for(0, tokens, std::max<std::int64_t>(1, kGrain / width), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t t = begin; t < end; ++t) {
        const float* row = from + t * width;
        const float squares = lane_sum(width, [&](std::int64_t i) { return row[i] * row[i]; });
        r[t] = 1 / std::sqrt(squares / static_cast<float>(width) + static_cast<float>(epsilon));
        for (std::int64_t i = 0; i < width; ++i) to[t * width + i] = row[i] * r[t] * w[i];
      }
    });
    context->save_for_backward({x, weight, inverse});
    return out;
  }

  // With n = x r: dx = r (g w − n · mean(g w n)), dw = Σ g n.
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &inverse = saved[2], grad = grads[0].contiguous();
    const std::int64_t tokens = x.size(0), width = x.size(1), blocks = (tokens + kBlock - 1) / kBlock;
    at::Tensor dx = at::empty({tokens, width}, x.options()), parts = at::zeros({blocks, width}, x.options());
    const auto *from = x.const_data_ptr<float>(), *w = weight.const_data_ptr<float>(),
               *r = inverse.const_data_ptr<float>(), *g = grad.const_data_ptr<float>();
    auto *to = dx.mutable_data_ptr<float>(), *part = parts.mutable_data_ptr<float>();
    at::parallel_for(0, blocks, std::max<std::int64_t>(1, kGrain / width / kBlock),
                     [&](std::int64_t begin, std::int64_t end) {
                       for (std::int64_t t = begin * kBlock; t < std::min(end * kBlock, tokens); ++t) {
                         const float *row = from + t * width, *up = g + t * width;
                         float *down = to + t * width, *dw = part + t / kBlock * width;
                         const float mean = lane_sum(width, [&](std::int64_t i) { return up[i] * w[i] * row[i]; }) *
                                            r[t] / static_cast<float>(width);
                         for (std::int64_t i = 0; i < width; ++i) {
                           const float n = row[i] * r[t];
                           down[i] = r[t] * (up[i] * w[i] - n * mean);
                           dw[i] += up[i] * n;
                         }
                       }
                     });
    return {dx, context->needs_input_grad(1) ? parts.sum(0) : at::Tensor(), at::Tensor()};
  }
};

class SwiGlu : public torch::autograd::Function<SwiGlu> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& gate, const at::Tensor& up) {
    context->save_for_backward({gate, up});
    return at::silu(gate).mul_(up);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const at::Tensor gate = saved[0].contiguous(), up = saved[1].contiguous(), grad = grads[0].contiguous();
    at::Tensor dgate = at::sigmoid(gate), dup = at::empty(gate.sizes(), gate.options());
    const auto *a = gate.const_data_ptr<float>(), *u = up.const_data_ptr<float>(), *g = grad.const_data_ptr<float>();
    auto *da = dgate.mutable_data_ptr<float>(), *du = dup.mutable_data_ptr<float>();
    at::parallel_for(0, gate.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const float s = da[i];
        du[i] = g[i] * a[i] * s;
        da[i] = g[i] * u[i] * s * (1 + a[i] * (1 - s));
      }
    });
    return {dgate, dup};
  }
};

bool plain(const at::Tensor& a, const at::Tensor& b) {
  return a.device().is_cpu() && a.dim() == 2 && a.scalar_type() == at::kFloat && b.scalar_type() == at::kFloat;
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  if (plain(x, weight)) return RmsNorm::apply(x, weight, epsilon);
  return at::rms_norm(x, weight.sizes(), weight, epsilon);
}

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) {
  if (plain(gate, up)) return SwiGlu::apply(gate, up);
  return at::silu(gate) * up;
}

}  // namespace v1
}  // namespace plumb
