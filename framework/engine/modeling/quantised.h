// Row-wise 8-bit weights: W[o, i] ≈ scale[o] · q[o, i], scale[o] = max|W[o, ·]| / 127, q rounded to nearest. So no
// entry is off by more than scale[o] / 2, and y = W x by no more than scale[o] / 2 · Σ|x|.
//
//   QuantisedRows rows = quantise_rows(weight);          // rows.values [out, in] int8, rows.scale [out] float
//
// What is quantised are the linear layers of a model's numbered blocks, as bitsandbytes does it: tables, norms, biases,
// the LM head and the reward head keep their type. A quantised base is frozen; an adapter may be trained above it.
// Thread contract: functions are [any].
#pragma once

#include <set>
#include <string>

#include "plumb/tensor/parameters.h"
#include "plumb/tensor/torch.h"

namespace plumb {

struct QuantisedRows {
  at::Tensor values;  // [out, in] int8
  at::Tensor scale;   // [out] float
};
// weight [out, in] of any floating-point type. A row of zeros has scale 1; one with a NaN or an infinity yields NaN.
QuantisedRows quantise_rows(const at::Tensor& weight);

// Names of the parameters that an 8-bit model keeps in 8 bits.
std::set<std::string> quantised_names(Parameters& parameters);

}  // namespace plumb
