#include "framework/engine/distributed/backends.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <boost/dll/runtime_symbol_info.hpp>
#include <cstdlib>
#include <filesystem>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include "plumb/error.h"

namespace plumb {
namespace {

using std::chrono::milliseconds;
using StorePointer = c10::intrusive_ptr<c10d::Store>;

std::shared_ptr<::gloo::transport::Device> network(const Place& place) {
  using Gloo = c10d::ProcessGroupGloo;
  if (place.one_machine) return Gloo::createDeviceForHostname("127.0.0.1");  // where its own name may not resolve
  if (const char* name = std::getenv("GLOO_SOCKET_IFNAME"); name != nullptr) {
    return Gloo::createDeviceForInterface(name);
  }
  return Gloo::createDefaultDevice();
}

// nccl/nccl.cpp. A tensor of a GPU exists, so libtorch_cuda.so is loaded.
c10::intrusive_ptr<c10d::Backend> open_nccl(const StorePointer& store, const Place& place, milliseconds timeout) {
  using Make = c10d::Backend*(const StorePointer&, int, int, milliseconds);
  const std::filesystem::path here = boost::dll::this_line_location().parent_path().string();
  const std::filesystem::path file = here / "libplumb_nccl.so";
  void* library = ::dlopen(file.c_str(), RTLD_NOW);
  const char* why = library == nullptr ? ::dlerror() : nullptr;
  auto* make = library == nullptr ? nullptr : reinterpret_cast<Make*>(::dlsym(library, "plumb_nccl_make"));
  if (make == nullptr) {
    throw Error(
        ErrorCode::run_failed,
        fmt::format("ranks with GPUs need NCCL, and {} cannot be opened ({}). It is built where NCCL's and CUDA's "
                    "headers are: `tools/setup --with-cuda` fetches them",
                    file.string(), why == nullptr ? "it has no plumb_nccl_make" : why));
  }
  auto own = c10::make_intrusive<c10d::PrefixStore>("nccl", store);
  return c10::intrusive_ptr<c10d::Backend>::reclaim(make(own, place.rank, place.world, timeout));
}

}  // namespace

struct Backends::State {
  StorePointer store;
  Place place;
  milliseconds timeout;
  c10::intrusive_ptr<c10d::Backend> gloo, nccl;
};

Backends::Backends(const StorePointer& store, const Place& place, milliseconds meeting, milliseconds timeout)
    : state_(std::make_unique<State>(State{store, place, timeout, {}, {}})) {
  auto options = c10d::ProcessGroupGloo::Options::create();
  options->timeout = meeting;
  options->devices.push_back(network(place));
  state_->gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(store, place.rank, place.world, options);
  state_->gloo->setTimeout(timeout);
}

Backends::~Backends() = default;

c10d::Backend& Backends::of(const at::Tensor& tensor) {
  if (!tensor.is_cuda()) return *state_->gloo;
  if (!state_->nccl) state_->nccl = open_nccl(state_->store, state_->place, state_->timeout);
  return *state_->nccl;
}

void Backends::abandon() {
  static_cast<void>(state_->gloo.release());
  static_cast<void>(state_->nccl.release());
}

}  // namespace plumb
