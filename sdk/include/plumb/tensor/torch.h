// The only door to LibTorch; it brings at::Tensor alone. It puts a plugin into the tensor tier: its fingerprint
// then names this LibTorch version and only a host with the same one loads it. A source file adds
//   #include <ATen/TensorOperators.h>  // a + b, a * b and their kin
//   #include <ATen/ops/log_sigmoid.h>  // one for each function; <torch/torch.h>, 18 seconds a file, is refused
//   at::Tensor loss(const at::Tensor& gap) { return -at::log_sigmoid(0.1 * gap).mean(); }
// Thread contract: LibTorch's own.
#pragma once

#include <torch/headeronly/version.h>

#undef PLUMB_ABI_TORCH  // plugin.h may have come first; PLUMB_PLUGIN reads the macro where it is used
#define PLUMB_STRINGIFY_(x) #x
#define PLUMB_STRINGIFY(x) PLUMB_STRINGIFY_(x)
#define PLUMB_ABI_TORCH \
  PLUMB_STRINGIFY(TORCH_VERSION_MAJOR) "." PLUMB_STRINGIFY(TORCH_VERSION_MINOR) "." PLUMB_STRINGIFY(TORCH_VERSION_PATCH)

#include <ATen/core/Tensor.h>
