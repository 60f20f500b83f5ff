// The strict device's operators, its guard and its hooks. LibTorch finds them by static registration.
#include "strict_device.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/EmptyTensor.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/ops/_local_scalar_dense.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/unfold_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>

#include <vector>

#include "accounting.h"

namespace plumb::strict {
namespace {

thread_local bool in_kernel = false;

class InKernel {
 public:
  InKernel() : before_(in_kernel) { in_kernel = true; }
  ~InKernel() { in_kernel = before_; }
  InKernel(const InKernel&) = delete;
  InKernel& operator=(const InKernel&) = delete;

 private:
  bool before_;
};

// Copies to the host that have not arrived.
struct Arriving {
  at::Tensor numbers, to;
};
std::vector<Arriving>& arriving() {
  static std::vector<Arriving> copies;
  return copies;
}

void wait() {
  const InKernel own;
  for (const Arriving& copy : arriving()) copy.to.copy_(copy.numbers);
  arriving().clear();
}

at::Tensor empty(at::IntArrayRef size, std::optional<at::ScalarType> type, std::optional<at::Layout> /*layout*/,
                 std::optional<at::Device> /*device*/, std::optional<bool> /*pinned*/,
                 std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(size, &allocator(), c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                   c10::dtype_or_default(type), format);
}

at::Tensor empty_strided(at::IntArrayRef size, at::IntArrayRef stride, std::optional<at::ScalarType> type,
                         std::optional<at::Layout> /*layout*/, std::optional<at::Device> /*device*/,
                         std::optional<bool> /*pinned*/) {
  return new_tensor(size, stride, c10::dtype_or_default(type));
}

at::Tensor copy_from(const at::Tensor& from, const at::Tensor& to, bool non_blocking) {
  const bool counted = !in_kernel, arrives = counted && to.is_cpu();
  if (counted && !from.is_cpu() && !to.is_cpu()) count_launch("aten::copy_");
  if (counted && from.is_cpu()) count_move(Moved::upload, !non_blocking);
  if (arrives) count_move(Moved::download, !non_blocking);
  const InKernel own;
  if (dry()) {
    if (to.is_cpu()) to.zero_();
    return to;
  }
  const Opened source(from), target(to);
  if (arrives && non_blocking) {
    arriving().push_back({source.cpu().clone(), to});
    return to;
  }
  target.cpu().copy_(source.cpu());
  if (arrives) wait();
  return to;
}

at::Tensor copy_from_and_resize(const at::Tensor& from, const at::Tensor& to) {
  if (to.sizes() != from.sizes()) resize(to, from.sizes());
  return copy_from(from, to, false);
}

at::Scalar number(const at::Tensor& tensor) {
  count_sync();
  wait();
  if (dry()) return {1.0};
  const Opened opened(tensor);
  return at::_local_scalar_dense(opened.cpu());
}

const at::Tensor& resize_(const at::Tensor& self, c10::SymIntArrayRef size, std::optional<at::MemoryFormat>) {
  return resize(self, C10_AS_INTARRAYREF_SLOW(size));
}

at::Tensor as_strided(const at::Tensor& self, c10::SymIntArrayRef size, c10::SymIntArrayRef stride,
                      std::optional<c10::SymInt> offset) {
  return at::native::as_strided_tensorimpl(
      self, C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(stride),
      offset ? std::optional(offset->expect_int()) : std::optional<std::int64_t>());
}

at::Tensor view(const at::Tensor& self, c10::SymIntArrayRef size) {
  return at::native::view(self, C10_AS_INTARRAYREF_SLOW(size));
}

at::Tensor reshape_alias(const at::Tensor& self, c10::SymIntArrayRef size, c10::SymIntArrayRef stride) {
  return at::native::_reshape_alias(self, C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(stride));
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("empty.memory_format", TORCH_FN(empty));
  m.impl("empty_strided", TORCH_FN(empty_strided));
  m.impl("_copy_from", TORCH_FN(copy_from));
  m.impl("_copy_from_and_resize", TORCH_FN(copy_from_and_resize));
  m.impl("_local_scalar_dense", TORCH_FN(number));
  m.impl("resize_", TORCH_FN(resize_));
  m.impl("as_strided", TORCH_FN(as_strided));
  m.impl("view", TORCH_FN(view));
  m.impl("_reshape_alias", TORCH_FN(reshape_alias));
  m.impl("unfold", TORCH_FN(at::native::unfold));
  // One kernel on CUDA; LibTorch would take them apart on a device that does not name them.
  for (const char* fused : {"_fused_rms_norm", "native_layer_norm", "native_layer_norm_backward"}) {
    m.impl(fused, torch::CppFunction::makeFromBoxedFunction<&run>());
  }
}
TORCH_LIBRARY_IMPL(_, PrivateUse1, m) {
  m.fallback(torch::CppFunction::makeFromBoxedFunction<&run>());
}

// One device with one stream.
struct Guard final : c10::impl::NoOpDeviceGuardImpl<kDevice> {
  c10::Device exchangeDevice(c10::Device) const override { return {kDevice, 0}; }
  c10::Device getDevice() const override { return {kDevice, 0}; }
  c10::Stream getStream(c10::Device) const noexcept override { return c10::Stream(c10::Stream::DEFAULT, {kDevice, 0}); }
  c10::Stream getNewStream(c10::Device device, int) const override { return getStream(device); }
  c10::Stream exchangeStream(c10::Stream stream) const noexcept override { return stream; }
  void record(void** event, const c10::Stream&, const c10::DeviceIndex, const c10::EventFlag) const override {
    *event = nullptr;
  }
  void block(void*, const c10::Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
  void synchronizeEvent(void*) const override {
    count_sync();
    wait();
  }
  void synchronizeStream(const c10::Stream&) const override { synchronizeEvent(nullptr); }
};
C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard);

struct Hooks final : at::PrivateUse1HooksInterface {
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  c10::DeviceIndex deviceCount() const override { return 1; }
  c10::DeviceIndex getCurrentDevice() const override { return 0; }
  c10::DeviceIndex exchangeDevice(c10::DeviceIndex) const override { return 0; }
  c10::DeviceIndex maybeExchangeDevice(c10::DeviceIndex) const override { return 0; }
  void setCurrentDevice(c10::DeviceIndex) const override {}
  const at::Generator& getDefaultGenerator(c10::DeviceIndex) const override {
    return at::detail::getDefaultCPUGenerator();
  }
  at::Allocator* getPinnedMemoryAllocator() const override { return at::getCPUAllocator(); }
  at::Device getDeviceFromPtr(void*) const override { return {kDevice, 0}; }
};

[[maybe_unused]] const bool registered = [] {
  c10::register_privateuse1_backend("strict");
  static Hooks hooks;
  at::RegisterPrivateUse1HooksInterface(&hooks);
  return true;
}();

}  // namespace

void run(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  if (!in_kernel) count_launch(op.schema().name());
  const InKernel own;
  if (dry()) {
    run_dry(op, stack);
  } else {
    at::native::cpu_fallback(op, stack);
  }
}

}  // namespace plumb::strict
