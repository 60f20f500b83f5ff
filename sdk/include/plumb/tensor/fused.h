// What most layers of a language model compute between matrix products, as one differentiable kernel each: on the CPU a
// chain of operators costs more in passes over memory than in arithmetic.
//
//   at::Tensor h = plumb::rms_norm(x, weight, 1e-6);
//   at::Tensor m = plumb::swiglu(gate(h), up(h));
//
// Thread contract: [any].
#pragma once

#include "plumb/tensor/torch.h"

namespace plumb {
inline namespace v1 {

// x / √(mean(x²) + epsilon) · weight over the last dimension, x [tokens, width], weight [width] -> x's shape and type.
// As transformers' LlamaRMSNorm: normalised in float (double for double), rounded to x's type, then weighted.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon);

// silu(gate) · up, element by element (Shazeer, arXiv:2002.05202); both [tokens, width] of one type.
at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);

}  // namespace v1
}  // namespace plumb
