// Numbers made on the host, on a model's device. A GPU that is sent pageable memory stops the host until all that was
// launched before is done; from here they go through pinned memory, and nobody waits.
//
//   std::vector<std::int64_t> places{2, 0, 1};
//   at::Tensor sorted = values.index_select(0, plumb::upload(at::tensor(places, at::kLong), values.device()));
//
// Thread contract: [any].
#pragma once

#include "plumb/tensor/torch.h"

namespace plumb {
inline namespace v1 {

// `here` lies on the CPU and may be dropped or written at once. For the CPU, `here` itself.
at::Tensor upload(const at::Tensor& here, const at::Device& device);

}  // namespace v1
}  // namespace plumb
