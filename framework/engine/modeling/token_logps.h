// Log-probabilities of given tokens from hidden states, without holding [tokens, vocabulary] logits.
//
//   at::Tensor logps = token_logps([&](const at::Tensor& h) { return model.logits(h); }, hidden, targets, 1.0, 1024);
//
// Thread contract: [lane] of the model.
#pragma once

#include <cstdint>
#include <functional>

#include "plumb/tensor/torch.h"

namespace plumb {

// hidden [n, width] -> logits [n, vocabulary]; may have parameters of its own.
using LogitsFunction = std::function<at::Tensor(const at::Tensor& hidden)>;

// log softmax(logits / temperature)[target] of each row, [n] float, computed in float (double for double) whatever the
// model's type. Differentiable in hidden and in whatever `logits` uses: rows go through in chunks, whose logits are
// computed again in the backward pass when they are too large to keep. Parameters then receive their gradients in .grad
// (as with checkpointing); ask for them with backward(), not with autograd::grad().
at::Tensor token_logps(const LogitsFunction& logits, const at::Tensor& hidden, const at::Tensor& targets,
                       double temperature, std::int64_t chunk);

}  // namespace plumb
