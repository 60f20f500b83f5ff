#include "plumb/tensor/upload.h"

#include <ATen/ops/empty.h>

namespace plumb {
inline namespace v1 {

at::Tensor upload(const at::Tensor& here, const at::Device& device) {
  if (device.is_cpu()) return here;
  if (!device.is_cuda() && !device.is_privateuseone()) return here.to(device);  // meta: there is nothing to pin for
  const at::Tensor pinned = at::empty(here.sizes(), here.options().pinned_memory(true)).copy_(here);
  return pinned.to(device, here.scalar_type(), /*non_blocking=*/true);
}

}  // namespace v1
}  // namespace plumb
