// libplumb_nccl.so: NCCL's process group, in a library of its own, since it needs libtorch_cuda.so and CUDA's headers. The
// engine opens it when ranks first exchange tensors of a GPU (distributed/backends.cpp).
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include <chrono>

// The caller owns a reference to what is returned. Throws what c10d throws, also when there is no GPU.
extern "C" c10d::Backend* plumb_nccl_make(const c10::intrusive_ptr<c10d::Store>& store, int rank, int world,
                                          std::chrono::milliseconds timeout) {
  auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = timeout;
  return c10::make_intrusive<c10d::ProcessGroupNCCL>(store, rank, world, options).release();
}
