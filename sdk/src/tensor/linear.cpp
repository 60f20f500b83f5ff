#include "plumb/tensor/linear.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_weight_int8pack_mm.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <torch/csrc/autograd/custom_function.h>

namespace plumb {
inline namespace v1 {
namespace {

thread_local bool adapters_off = false;

// Above this many rows the packed kernel is slower than widening the weight once and calling the full-precision
// product. A GPU's works on blocks of 16 rows.
constexpr std::int64_t kPackedRows = 32, kPackedRowsOnGpu = 16;

at::Tensor widen(const at::Tensor& weight, const at::Tensor& scale, at::ScalarType type) {
  return weight.to(type).mul_(scale.to(type).unsqueeze(1));
}

// y = x Wᵀ for a row-wise 8-bit W. The weight is frozen; the gradient flows to x, so that an adapter may be trained
// above it.
class Int8Product : public torch::autograd::Function<Int8Product> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const at::Tensor& scale) {
    context->save_for_backward({weight, scale});
    const bool here = x.device().is_cpu();
    if (x.size(0) <= (here ? kPackedRows : kPackedRowsOnGpu)) {
      return at::_weight_int8pack_mm(x.contiguous(), weight, scale.to(x.scalar_type()));
    }
    if (here) return at::mm(x, widen(weight, scale, x.scalar_type()).t());
    // Whole numbers up to 127 are exact in every type: the scales come after the product, in one pass over less memory.
    return at::mm(x, weight.to(x.scalar_type()).t()).mul_(scale.to(x.scalar_type()));
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const auto type = grads[0].scalar_type();
    const at::Tensor dx = grads[0].device().is_cpu() ? at::mm(grads[0], widen(saved[0], saved[1], type))
                                                     : at::mm(grads[0] * saved[1].to(type), saved[0].to(type));
    return {dx, at::Tensor(), at::Tensor()};
  }
};

// The first adapter that counts now, from this one downwards.
const LoraAdapter* counting(const LoraAdapter* lora) {
  while (lora != nullptr && adapters_off && !lora->of_base) lora = lora->below.get();
  return lora;
}

at::Tensor base_product(const at::Tensor& rows, const Linear& layer, const at::Tensor& bias) {
  if (!layer.weight_scale.defined()) return at::linear(rows, layer.weight, bias);
  at::Tensor y = Int8Product::apply(rows, layer.weight, layer.weight_scale);
  return bias.defined() ? y + bias : y;
}

// y [n, out] += scale · drop(x) Aᵀ Bᵀ, computed in the adapter's type as PEFT does.
at::Tensor add_adapter(at::Tensor y, const at::Tensor& rows, const LoraAdapter& lora) {
  at::Tensor x = rows;
  if (lora.training && lora.dropout > 0) x = at::dropout(x, lora.dropout, true);
  const at::Tensor low = at::linear(x.to(lora.a.scalar_type()), lora.a);
  if (y.scalar_type() == lora.b.scalar_type()) return at::addmm(y, low, lora.b.t(), 1, lora.scale);
  return y + at::linear(low, lora.b).mul(lora.scale).to(y.scalar_type());
}

// The base's product with the adapters that count from `lora` downwards. A gain is of all below it but the bias.
at::Tensor product(const at::Tensor& rows, const Linear& layer, const LoraAdapter* lora, const at::Tensor& bias) {
  const LoraAdapter* scaling = lora;
  while (scaling != nullptr && !scaling->gain.defined()) scaling = counting(scaling->below.get());
  at::Tensor y;
  if (scaling == nullptr) {
    y = base_product(rows, layer, bias);
  } else {
    y = product(rows, layer, counting(scaling->below.get()), {}).to(scaling->b.scalar_type());
    y = add_adapter(std::move(y), rows, *scaling) * scaling->gain;
    if (bias.defined()) y = y + bias;
  }
  for (; lora != scaling; lora = counting(lora->below.get())) y = add_adapter(std::move(y), rows, *lora);
  return y;
}

}  // namespace

at::Tensor Linear::operator()(const at::Tensor& x) const {
  const LoraAdapter* lora = counting(adapter.get());
  if (lora == nullptr && !weight_scale.defined()) return at::linear(x, weight, bias);
  const at::Tensor rows = x.dim() == 2 ? x : x.reshape({-1, x.size(-1)});
  const at::Tensor y = product(rows, *this, lora, bias).to(x.scalar_type());
  if (x.dim() == 2) return y;
  auto shape = x.sizes().vec();
  shape.back() = y.size(-1);
  return y.reshape(shape);
}

AdaptersOff::AdaptersOff() : before_(adapters_off) {
  adapters_off = true;
}
AdaptersOff::~AdaptersOff() {
  adapters_off = before_;
}
bool AdaptersOff::active() {
  return adapters_off;
}

}  // namespace v1
}  // namespace plumb
