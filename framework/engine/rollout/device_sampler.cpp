#include "framework/engine/rollout/device_sampler.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/searchsorted.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <limits>

namespace plumb {
namespace {

// weights [rows, vocabulary] without the tail whose ascending cumulative share is at most 1 - p. Of equal weights the
// higher ids go first; the greatest stays.
at::Tensor keep_top_p(const at::Tensor& weights, double top_p) {
  const auto [sorted, order] = at::sort(weights, /*stable=*/true, 1, /*descending=*/true);
  const at::Tensor mass = sorted.flip(1).cumsum(1, at::kDouble);
  const at::Tensor total = mass.narrow(1, mass.size(1) - 1, 1);
  at::Tensor stays = (mass / total).to(at::kFloat).gt(static_cast<float>(1.0 - top_p)).flip(1);
  stays.select(1, 0).fill_(true);
  return at::zeros_like(weights).scatter_(1, order, sorted * stays);
}

}  // namespace

at::Tensor draw_tokens(const at::Tensor& logits, const Sampling& sampling, const at::Tensor& u) {
  const at::Tensor scaled = sampling.temperature == 0 ? logits : logits / static_cast<float>(sampling.temperature);
  const at::Tensor most = scaled.amax(1, true);
  at::Tensor ids;
  if (sampling.temperature == 0) {
    ids = at::argmax(scaled, 1);
  } else {
    at::Tensor weights = (scaled - most).exp_();
    if (sampling.top_k > 0 && sampling.top_k < logits.size(1)) {
      const at::Tensor kth = std::get<0>(at::topk(scaled, sampling.top_k, 1)).narrow(1, sampling.top_k - 1, 1);
      weights.mul_(scaled.ge(kth));
    }
    if (sampling.top_p < 1) weights = keep_top_p(weights, sampling.top_p);
    const at::Tensor mass = weights.cumsum(1, at::kDouble), total = mass.narrow(1, mass.size(1) - 1, 1);
    // Below the total even where u · total rounds to it.
    const at::Tensor target = at::minimum(u.unsqueeze(1) * total, total * (1 - std::numeric_limits<double>::epsilon()));
    ids = at::searchsorted(mass, target, /*out_int32=*/false, /*right=*/true).squeeze(1);
  }
  return at::where(at::isfinite(most.squeeze(1)), ids, at::full_like(ids, -1));
}

std::vector<std::int64_t> fetch_ids(const at::Tensor& ids) {
  const at::Device device = ids.device();
  const bool here = device.is_cpu();
  const at::Tensor arrived = at::empty(ids.sizes(), at::TensorOptions(at::kLong).pinned_memory(!here));
  arrived.copy_(ids, /*non_blocking=*/true);
  if (!here) {
    c10::Event event(device.type());
    event.record(c10::impl::VirtualGuardImpl(device.type()).getStream(device));
    event.synchronize();
  }
  const auto* first = arrived.const_data_ptr<std::int64_t>();
  return {first, first + arrived.numel()};
}

}  // namespace plumb
