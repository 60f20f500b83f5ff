// Whether this machine has a GPU that LibTorch can use, and loading LibTorch's half for it.
//
//   if (std::string why = missing_for_cuda(0); !why.empty()) …   // "no NVIDIA driver (libcuda.so.1: cannot open …)"
//   require_cuda(0);                                             // or Error(recipe) with that text
//
// One build serves machines with and without a GPU: libtorch_cuda.so registers its kernels when it is loaded.
// Thread contract: [any].
#pragma once

#include <string>

namespace plumb {

// Everything that `cuda:index` lacks here, in one line; empty when it can be used. Asks the driver, so that
// CUDA_VISIBLE_DEVICES holds; loads libtorch_cuda.so when nothing else is missing.
std::string missing_for_cuda(int index);

void require_cuda(int index);

}  // namespace plumb

// For the core (core/door/devices.h). Appends to `why`.
extern "C" void plumb_engine_missing_for_cuda(int index, std::string& why);
