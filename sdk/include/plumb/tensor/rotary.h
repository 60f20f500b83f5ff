// Rotary position embeddings (Su et al., arXiv:2104.09864) in Hugging Face's half-split pairing: of the first `dims`
// dimensions of a head, i turns with i + dims / 2.
//
//   plumb::Rotary rotary(plumb::read_rope(config), head_dim);     // once per model
//   const auto angles = rotary.angles(batch.positions);           // once per forward pass
//   q = plumb::rotate(q, angles);                                 // per layer, [tokens, heads, head_dim]
//
// Thread contract: [any] after construction.
#pragma once

#include <cstdint>

#include "plumb/tensor/hf_config.h"
#include "plumb/tensor/torch.h"

namespace plumb {
inline namespace v1 {

struct RotaryAngles {
  at::Tensor cos, sin;  // [tokens, dims / 2] float, times yarn's attention factor
};

class Rotary {
 public:
  // Turns int(head_dim · settings.fraction) dimensions of each head; they must be even in number, and at most 65,536.
  Rotary(const RopeSettings& settings, std::int64_t head_dim);
  [[nodiscard]] RotaryAngles angles(const at::Tensor& positions) const;

 private:
  at::Tensor frequencies_;  // [dims / 2] float
  double attention_factor_;
};

// x [tokens, heads, head_dim], any strides -> a new tensor of the same type; differentiable. Dimensions from 2 ·
// angles' width on pass through. Computed in float (double for double).
at::Tensor rotate(const at::Tensor& x, const RotaryAngles& angles);

}  // namespace v1
}  // namespace plumb
