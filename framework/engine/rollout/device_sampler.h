// Drawing tokens where the logits are: the same temperature, top-k and top-p as sampler.h, and the same draw for the
// same u up to the rounding of the exponentials, for all rows at once. Only the ids come to the host.
//
//   at::Tensor ids = draw_tokens(logits, sampling, u);
//   std::vector<std::int64_t> arrived = fetch_ids(ids);   // the one wait of a step
//
// Thread contract: functions are [any].
#pragma once

#include <cstdint>
#include <vector>

#include "plumb/generator.h"
#include "plumb/tensor/torch.h"

namespace plumb {

// logits [rows, vocabulary] fp32, u [rows] float64 in [0, 1), both on one device -> [rows] int64 there. -1 for a row
// from which nothing can be drawn (a NaN, an infinity): draw_token says of it what is wrong.
at::Tensor draw_tokens(const at::Tensor& logits, const Sampling& sampling, const at::Tensor& u);

// ids [rows] int64, through pinned memory.
std::vector<std::int64_t> fetch_ids(const at::Tensor& ids);

}  // namespace plumb
