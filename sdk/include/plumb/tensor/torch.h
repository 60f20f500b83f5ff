// The only door to LibTorch. Including it puts a plugin into the tensor tier: its fingerprint then names this LibTorch
// version and only a host with the same one loads it.
//
// It brings at::Tensor and nothing else. A source file includes <ATen/ops/NAME.h> for each function it uses and
// <ATen/TensorOperators.h> for a + b, a * b and their kin; including <torch/torch.h> costs 18 seconds a file and is
// refused by tools/check.
#pragma once

#include <torch/headeronly/version.h>

#undef PLUMB_ABI_TORCH  // plugin.h may have come first; PLUMB_PLUGIN reads the macro where it is used
#define PLUMB_STRINGIFY_(x) #x
#define PLUMB_STRINGIFY(x) PLUMB_STRINGIFY_(x)
#define PLUMB_ABI_TORCH \
  PLUMB_STRINGIFY(TORCH_VERSION_MAJOR) "." PLUMB_STRINGIFY(TORCH_VERSION_MINOR) "." PLUMB_STRINGIFY(TORCH_VERSION_PATCH)

#include <ATen/core/Tensor.h>
