// Attention over a ragged batch, owned by the framework. A model computes queries, keys and values for every token of
// the batch and calls attend; who may see whom (causal within a response, the shared prompt, cached tokens) is decided
// by the framework, so one forward function serves training, scoring and cached decoding, without padding or masks.
//
//   at::Tensor out = batch.attention.attend(layer, q, k, v, {});     // [tokens, heads, dim]
//
// Thread contract: [lane], while the forward pass that it was given to runs.
#pragma once

#include <cstdint>
#include <optional>

#include "plumb/tensor/torch.h"

namespace plumb {
inline namespace v1 {

struct AttentionOptions {
  std::optional<double> scale;         // default 1 / sqrt(dim)
  std::optional<std::int64_t> window;  // sliding window: a token sees at most `window` positions, itself included
};

class Attention {
 public:
  virtual ~Attention();
  // q [tokens, heads, dim], k and v [tokens, kv_heads, dim] with positions already applied (rotary);
  // heads is a multiple of kv_heads. Returns [tokens, heads, dim].
  virtual at::Tensor attend(std::int64_t layer, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const AttentionOptions& options) = 0;
};

// The tokens of one forward pass, sequences laid end to end.
struct TokenBatch {
  at::Tensor ids;        // [tokens] int64
  at::Tensor positions;  // [tokens] int64: place of each token in its own sequence, prompt included
  Attention& attention;
};

}  // namespace v1
}  // namespace plumb
