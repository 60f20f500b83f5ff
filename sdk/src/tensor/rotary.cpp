#include "plumb/tensor/rotary.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/pow.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <type_traits>

#include "plumb/error.h"
#include "plumb/tensor/upload.h"

namespace plumb {
inline namespace v1 {
namespace {

// Llama 3's scaling (transformers, modeling_rope_utils): long wavelengths are stretched by `factor`, short ones kept,
// those between interpolated.
void stretch_llama3(at::Tensor& frequencies, const RopeSettings& s) {
  auto* f = frequencies.mutable_data_ptr<float>();
  for (std::int64_t i = 0; i < frequencies.numel(); ++i) {
    const double wavelength = 2 * std::numbers::pi / f[i];
    if (wavelength < s.original_context / s.high_frequency_factor) continue;
    if (wavelength > s.original_context / s.low_frequency_factor) {
      f[i] = static_cast<float>(f[i] / s.factor);
      continue;
    }
    const double smooth =
        (s.original_context / wavelength - s.low_frequency_factor) / (s.high_frequency_factor - s.low_frequency_factor);
    f[i] = static_cast<float>((1 - smooth) * f[i] / s.factor + smooth * f[i]);
  }
}

// YaRN (transformers, modeling_rope_utils): dimensions that turn more than beta_fast times within the original context
// are kept, those below beta_slow turns are stretched by `factor`, with a ramp between.
void stretch_yarn(at::Tensor& frequencies, const RopeSettings& s, std::int64_t dims) {
  const auto n = static_cast<double>(dims);
  const auto dimension_of = [&](double turns) {
    return n * std::log(s.original_context / (turns * 2 * std::numbers::pi)) / (2 * std::log(s.theta));
  };
  double low = dimension_of(s.beta_fast), high = dimension_of(s.beta_slow);
  if (s.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, n - 1);
  if (low == high) high += 0.001;
  auto* f = frequencies.mutable_data_ptr<float>();
  for (std::int64_t i = 0; i < frequencies.numel(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    f[i] = static_cast<float>(f[i] / s.factor * ramp + f[i] * (1 - ramp));
  }
}

template <class T>
void turn(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, double sign, at::Tensor& out) {
  using Real = std::conditional_t<std::is_same_v<T, double>, double, float>;
  const std::int64_t tokens = x.size(0), heads = x.size(1), dim = x.size(2), half = cos.size(1);
  const std::int64_t token_stride = x.stride(0), head_stride = x.stride(1);
  const T* from = x.const_data_ptr<T>();
  T* to = out.mutable_data_ptr<T>();
  const float *c = cos.const_data_ptr<float>(), *s = sin.const_data_ptr<float>();
  at::parallel_for(0, tokens, std::max<std::int64_t>(1, 32768 / (heads * dim)),
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t t = begin; t < end; ++t) {
                       const float *ct = c + t * half, *st = s + t * half;
                       for (std::int64_t h = 0; h < heads; ++h) {
                         const T* a = from + t * token_stride + h * head_stride;
                         T* b = to + (t * heads + h) * dim;
                         for (std::int64_t i = 0; i < half; ++i) {
                           const Real x1 = a[i], x2 = a[i + half], co = ct[i], si = static_cast<Real>(sign) * st[i];
                           b[i] = static_cast<T>(x1 * co - x2 * si);
                           b[i + half] = static_cast<T>(x2 * co + x1 * si);
                         }
                         for (std::int64_t i = 2 * half; i < dim; ++i) b[i] = a[i];
                       }
                     }
                   });
}

// Turns by the angles (sign 1) or back (sign -1); the second is the first's transpose, hence its gradient.
at::Tensor turned(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, double sign) {
  if (!x.device().is_cpu()) {
    const std::int64_t half = cos.size(1);
    const at::Tensor c = cos.unsqueeze(1).unsqueeze(1), s = sin.unsqueeze(1);
    const at::Tensor halves = x.narrow(2, 0, 2 * half).view({x.size(0), x.size(1), 2, half});
    const at::Tensor wide = halves * c;
    wide.select(2, 0).addcmul_(halves.select(2, 1), s, -sign);
    wide.select(2, 1).addcmul_(halves.select(2, 0), s, sign);
    const at::Tensor turned = wide.flatten(2).to(x.scalar_type());
    if (2 * half == x.size(2)) return turned;
    return at::cat({turned, x.narrow(2, 2 * half, x.size(2) - 2 * half)}, 2);
  }
  const at::Tensor rows = x.stride(2) == 1 ? x : x.contiguous();
  at::Tensor out = at::empty(x.sizes(), x.options());
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kBFloat16, at::kHalf, x.scalar_type(), "rotate",
                                  [&] { turn<scalar_t>(rows, cos, sin, sign, out); });
  return out;
}

class Rotate : public torch::autograd::Function<Rotate> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& cos,
                            const at::Tensor& sin) {
    context->save_for_backward({cos, sin});
    return turned(x, cos, sin, 1);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    const auto saved = context->get_saved_variables();
    return {turned(grads[0], saved[0], saved[1], -1), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

Rotary::Rotary(const RopeSettings& settings, std::int64_t head_dim) : attention_factor_(settings.attention_factor) {
  constexpr std::int64_t most =
      65536;  // far above every model's; a table of them is made before any weight is looked at
  const auto dims = static_cast<std::int64_t>(static_cast<double>(head_dim) * settings.fraction);
  if (dims <= 0 || dims % 2 != 0 || dims > most) {
    throw Error(ErrorCode::data, "config.json: " + std::to_string(dims) + " of " + std::to_string(head_dim) +
                                     " dimensions of each head would turn; it must be an even number from 2 to 65536");
  }
  // The very operations of transformers, so that the rounding of long positions agrees, too.
  frequencies_ = at::pow(settings.theta, at::arange(0, dims, 2, at::kLong).to(at::kFloat).div_(dims)).reciprocal_();
  if (settings.type == "linear") frequencies_.div_(settings.factor);
  if (settings.type == "llama3") stretch_llama3(frequencies_, settings);
  if (settings.type == "yarn") stretch_yarn(frequencies_, settings, dims);
}

RotaryAngles Rotary::angles(const at::Tensor& positions) const {
  const at::Tensor turns =
      positions.to(at::kFloat).unsqueeze(1) * upload(frequencies_, positions.device()).unsqueeze(0);
  if (attention_factor_ == 1) return {turns.cos(), turns.sin()};
  return {turns.cos().mul_(attention_factor_), turns.sin().mul_(attention_factor_)};
}

at::Tensor rotate(const at::Tensor& x, const RotaryAngles& angles) {
  return Rotate::apply(x, angles.cos, angles.sin);
}

}  // namespace v1
}  // namespace plumb
