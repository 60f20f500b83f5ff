// c10d's process groups of one run: Gloo for tensors of the CPU, NCCL for those of a GPU, from a library of its own that is
// opened when it is first needed.
//
//   Backends backends(store, place, meeting, timeout);
//   c10d::Backend& gloo = backends.of(tensor);
//
// Thread contract: [lane].
#pragma once

#include <chrono>
#include <memory>

#include "framework/core/ranks/place.h"
#include "plumb/tensor/torch.h"

namespace c10d {
class Backend;
class Store;
}  // namespace c10d

namespace plumb {

class Backends {
 public:
  // Gloo's group; all ranks together. `meeting`: how long they may take to find each other; `timeout`: of everything that
  // they do then.
  Backends(const c10::intrusive_ptr<c10d::Store>& store, const Place& place, std::chrono::milliseconds meeting,
           std::chrono::milliseconds timeout);
  Backends(const Backends&) = delete;
  Backends& operator=(const Backends&) = delete;
  ~Backends();

  // Throws Error(run_failed) for a GPU without libplumb_nccl.so, or what NCCL says.
  [[nodiscard]] c10d::Backend& of(const at::Tensor& tensor);
  // A rank is gone: what waits for it is left to the end of the process, which would wait, too.
  void abandon();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace plumb
