// What the differentiable attentions keep between forward and backward, and the memory layout both want.
//
//   context->saved_data["plan"] = c10::IValue::make_capsule(c10::make_intrusive<SavedPlan>(plan, scale));
//   const auto holder = context->saved_data["plan"].toCapsule();
//   const auto& saved = static_cast<const SavedPlan&>(*holder);
//
// Thread contract: immutable.
#pragma once

#include <ATen/core/ivalue.h>

#include <memory>
#include <utility>

#include "framework/engine/modeling/attention.h"

namespace plumb {

struct SavedPlan : torch::CustomClassHolder {
  SavedPlan(std::shared_ptr<const AttentionPlan> p, double s) : plan(std::move(p)), scale(s) {}
  std::shared_ptr<const AttentionPlan> plan;
  double scale;
};

// x [tokens, heads, dim] with each head's numbers side by side.
inline at::Tensor with_dense_heads(const at::Tensor& x) {
  return x.stride(2) == 1 ? x : x.contiguous();
}

}  // namespace plumb
