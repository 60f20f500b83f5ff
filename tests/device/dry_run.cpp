// The dry mode: shapes come from LibTorch's meta device, and from here for operators whose shapes it knows in Python
// alone. A result that aliases an argument is that argument.
#include <ATen/ExpandUtils.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>

#include <array>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "accounting.h"

namespace plumb::strict {
namespace {

using Values = std::vector<c10::IValue>;
using Sizes = std::vector<std::int64_t>;

at::Tensor meta(at::IntArrayRef size, at::ScalarType type) {
  return at::empty(size, at::TensorOptions(type).device(at::kMeta));
}
at::Tensor meta_like(const at::Tensor& tensor) {
  if (!tensor.defined()) return tensor;
  return at::empty_strided(tensor.sizes(), tensor.strides(), tensor.options().device(at::kMeta));
}
at::Tensor in_memory(const at::Tensor& tensor) {
  if (!tensor.defined() || !tensor.is_meta()) return tensor;
  return new_tensor(tensor.sizes(), tensor.strides(), tensor.scalar_type());
}
at::Tensor same(const at::Tensor& x) {
  return meta(x.sizes(), x.scalar_type());
}

Values selected(const Values& given) {
  const at::Tensor& x = given[0].toTensor();
  Sizes size = x.sizes().vec();
  const std::int64_t dim = given[1].toInt();
  size[static_cast<std::size_t>(dim < 0 ? dim + x.dim() : dim)] = given[2].toTensor().numel();
  return {meta(size, x.scalar_type())};
}

// Indices of one shape that stand together.
Values indexed(const Values& given) {
  const at::Tensor& x = given[0].toTensor();
  const auto list = given[1].toOptionalTensorVector();
  Sizes size, shape;
  bool placed = false;
  for (std::int64_t d = 0; d < x.dim(); ++d) {
    const auto i = static_cast<std::size_t>(d);
    if (i >= list.size() || !list[i] || !list[i]->defined()) {
      size.push_back(x.size(d));
      continue;
    }
    shape = list[i]->sizes().vec();
    if (!placed) size.insert(size.end(), shape.begin(), shape.end());
    placed = true;
  }
  return {meta(size, x.scalar_type())};
}

Values layer_norm(const Values& given) {
  const at::Tensor& x = given[0].toTensor();
  Sizes row = x.sizes().vec();
  row.back() = 1;
  return {same(x), meta(row, at::kFloat), meta(row, at::kFloat)};
}
Values layer_norm_backward(const Values& given) {
  const at::Tensor &x = given[1].toTensor(), w = given[5].toTensor();
  return {same(x), same(w), same(w)};
}
Values embedding_backward(const Values& given) {
  const at::Tensor& grad = given[0].toTensor();
  return {meta({given[2].toInt(), grad.size(-1)}, grad.scalar_type())};
}
Values truth(const Values& given) {
  Sizes size = given[0].toTensor().sizes().vec();
  if (given.size() > 1 && given[1].isTensor()) size = at::infer_size(size, given[1].toTensor().sizes());
  return {meta(size, at::kBool)};
}
Values norms(const Values& given) {
  std::vector<at::Tensor> out;
  for (const at::Tensor& x : given[0].toTensorVector()) out.push_back(meta({}, x.scalar_type()));
  return {c10::IValue(out)};
}
Values packed_product(const Values& given) {
  const at::Tensor& x = given[0].toTensor();
  return {meta({x.size(0), given[1].toTensor().size(0)}, x.scalar_type())};
}
Values found(const Values& given) {
  return {meta(given[1].toTensor().sizes(), at::kLong)};
}
Values second_copied(const Values& given) {
  return {same(given[1].toTensor())};
}
Values first(const Values& given) {
  return {given[0]};
}
Values first_copied(const Values& given) {
  return {same(given[0].toTensor())};
}
Values nothing(const Values& /*given*/) {
  return {};
}

const std::map<std::string, std::function<Values(const Values&)>>& shapes() {
  static const std::map<std::string, std::function<Values(const Values&)>> of_operators{
      {"aten::index_select", selected},
      {"aten::index", indexed},
      {"aten::native_layer_norm", layer_norm},
      {"aten::native_layer_norm_backward", layer_norm_backward},
      {"aten::embedding_dense_backward", embedding_backward},
      {"aten::_weight_int8pack_mm", packed_product},
      {"aten::flip", first_copied},
      {"aten::where", second_copied},
      {"aten::searchsorted", found},
      {"aten::logical_and", truth},
      {"aten::logical_or", truth},
      {"aten::logical_not", truth},
      {"aten::_foreach_norm", norms},
      {"aten::_fused_adamw_", nothing},
      {"aten::masked_fill_", first},
      {"aten::index_add_", first},
      {"aten::index_copy_", first},
      {"aten::_index_put_impl_", first},
      {"aten::masked_fill", first_copied},
      {"aten::index_add", first_copied},
      {"aten::index_copy", first_copied},
      {"aten::abs", first_copied},
  };
  return of_operators;
}

c10::IValue to_meta(const c10::IValue& value) {
  if (value.isTensor()) return meta_like(value.toTensor());
  if (value.isDevice()) return c10::Device(at::kMeta);
  if (value.isTensorList()) {
    std::vector<at::Tensor> list;
    for (const at::Tensor& x : value.toTensorVector()) list.push_back(meta_like(x));
    return list;
  }
  if (value.isOptionalTensorList()) {
    c10::List<std::optional<at::Tensor>> list;
    for (const auto& x : value.toOptionalTensorVector())
      list.push_back(x ? std::optional(meta_like(*x)) : std::nullopt);
    return list;
  }
  return value;
}

c10::IValue from_meta(const c10::IValue& value) {
  if (value.isTensor()) return in_memory(value.toTensor());
  if (!value.isTensorList()) return value;
  std::vector<at::Tensor> list;
  for (const at::Tensor& x : value.toTensorVector()) list.push_back(in_memory(x));
  return list;
}

// The argument that a result aliases, if any.
const c10::IValue* aliased(const c10::FunctionSchema& schema, std::size_t result, const Values& given) {
  const auto* alias = schema.returns()[result].alias_info();
  if (alias == nullptr) return nullptr;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const auto* mine = schema.arguments()[i].alias_info();
    if (mine != nullptr && mine->beforeSets() == alias->beforeSets()) return &given[i];
  }
  return nullptr;
}

}  // namespace

void run_dry(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const auto& schema = op.schema();
  const auto first_argument = stack->end() - static_cast<std::ptrdiff_t>(schema.arguments().size());
  const Values given(first_argument, stack->end());
  if (const auto known = shapes().find(schema.name()); known != shapes().end()) {
    stack->erase(first_argument, stack->end());
    for (c10::IValue& value : known->second(given)) stack->push_back(std::move(value));
  } else {
    for (auto value = first_argument; value != stack->end(); ++value) *value = to_meta(*value);
    op.callBoxed(stack);
  }
  const std::size_t results = schema.returns().size(), out = stack->size() - results;
  for (std::size_t r = 0; r < results; ++r) {
    c10::IValue& value = (*stack)[out + r];
    const c10::IValue* argument = aliased(schema, r, given);
    if (argument == nullptr) {
      value = from_meta(value);
      continue;
    }
    if (value.isTensor() && argument->isTensor() && value.toTensor().sizes() != argument->toTensor().sizes()) {
      resize(argument->toTensor(), value.toTensor().sizes());
    }
    value = *argument;
  }
}

}  // namespace plumb::strict
