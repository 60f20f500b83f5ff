#include "framework/engine/modeling/index_upload.h"

#include <ATen/ops/tensor.h>

#include <bit>

#include "plumb/tensor/upload.h"

namespace plumb {

std::size_t IndexUpload::add(std::span<const std::int64_t> values) {
  lists_.emplace_back(static_cast<std::int64_t>(values_.size()), static_cast<std::int64_t>(values.size()));
  values_.insert(values_.end(), values.begin(), values.end());
  return lists_.size() - 1;
}

std::size_t IndexUpload::add_reals(std::span<const double> values) {
  std::vector<std::int64_t> bits;
  bits.reserve(values.size());
  for (const double value : values) bits.push_back(std::bit_cast<std::int64_t>(value));
  return add(bits);
}

void IndexUpload::send(const at::Device& device) {
  sent_ = upload(at::tensor(values_, at::kLong), device);
}

at::Tensor IndexUpload::operator[](std::size_t list) const {
  const auto& [begin, length] = lists_.at(list);
  return sent_.narrow(0, begin, length);
}

at::Tensor IndexUpload::reals(std::size_t list) const {
  return (*this)[list].view(at::kDouble);
}

}  // namespace plumb
