// What the parts of the strict device share.
//
// Thread contract: that of strict_device.h.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/stack.h>
#include <c10/core/Allocator.h>

#include <string>

namespace plumb::strict {

inline constexpr c10::DeviceType kDevice = c10::DeviceType::PrivateUse1;

c10::Allocator& allocator();
at::Tensor new_tensor(at::IntArrayRef size, at::IntArrayRef stride, at::ScalarType type);
void count_launch(const std::string& name);
enum class Moved { upload, download };
void count_move(Moved moved, bool blocking);
void count_sync();

// Carries out an operator on the stack: on copies with the CPU's kernel, or dry.
void run(const c10::OperatorHandle& op, torch::jit::Stack* stack);
void run_dry(const c10::OperatorHandle& op, torch::jit::Stack* stack);

// While one lives the tensor's memory may be read and written through cpu().
class Opened {
 public:
  explicit Opened(const at::Tensor& tensor);
  ~Opened();
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  [[nodiscard]] at::Tensor cpu() const;

 private:
  at::Tensor tensor_;
};

// Grows a tensor that is empty.
const at::Tensor& resize(const at::Tensor& self, at::IntArrayRef size);

}  // namespace plumb::strict
