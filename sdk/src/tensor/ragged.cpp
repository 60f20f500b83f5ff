#include "plumb/tensor/ragged.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <string>

#include "plumb/error.h"
#include "plumb/tensor/upload.h"

namespace plumb {
inline namespace v1 {
namespace {

const std::int64_t* offsets_of(const Ragged& ragged) {
  return ragged.offsets.const_data_ptr<std::int64_t>();
}

std::string shape_of(at::IntArrayRef sizes) {
  std::string out = "[";
  for (const std::int64_t size : sizes) out += (out.size() > 1 ? ", " : "") + std::to_string(size);
  return out + "]";
}

void require_shape(const at::Tensor& found, const std::vector<std::int64_t>& wanted) {
  if (found.sizes() == at::IntArrayRef(wanted)) return;
  throw Error(ErrorCode::run_failed,
              "values of ragged rows: found a tensor " + shape_of(found.sizes()) + ", wanted " + shape_of(wanted));
}

}  // namespace

Ragged Ragged::of(at::Tensor values, const std::vector<std::int64_t>& lengths) {
  std::vector<std::int64_t> ends{0};
  for (const std::int64_t length : lengths) ends.push_back(ends.back() + length);
  require_shape(values, {ends.back()});
  return {std::move(values), at::tensor(ends, at::kLong)};
}

Ragged Ragged::of(const std::vector<at::Tensor>& rows) {
  std::vector<std::int64_t> lengths;
  for (const at::Tensor& row : rows) lengths.push_back(row.numel());
  return of(at::cat(rows), lengths);
}

std::int64_t Ragged::length(std::int64_t row) const {
  return offsets_of(*this)[row + 1] - offsets_of(*this)[row];
}

at::Tensor Ragged::operator[](std::int64_t row) const {
  return values.narrow(0, offsets_of(*this)[row], length(row));
}

std::vector<at::Tensor> Ragged::rows() const {
  std::vector<at::Tensor> out;
  for (std::int64_t row = 0; row < size(); ++row) out.push_back((*this)[row]);
  return out;
}

std::int64_t Ragged::longest() const {
  std::int64_t out = 0;
  for (std::int64_t row = 0; row < size(); ++row) out = std::max(out, length(row));
  return out;
}

at::Tensor Ragged::lengths() const {
  return upload(offsets.slice(0, 1) - offsets.slice(0, 0, size()), values.device());
}

at::Tensor Ragged::row_of_values() const {
  const at::Tensor each = offsets.slice(0, 1) - offsets.slice(0, 0, size());
  return upload(at::arange(size()).repeat_interleave(each), values.device());
}

at::Tensor Ragged::mask() const {
  const at::Tensor each = lengths();
  return at::arange(longest(), each.options()).unsqueeze(0) < each.unsqueeze(1);
}

at::Tensor Ragged::padded(double fill) const {
  return at::full({size(), longest()}, fill, values.options().requires_grad(false)).masked_scatter(mask(), values);
}

at::Tensor Ragged::sums() const {
  return at::zeros({size()}, values.options().requires_grad(false)).index_add(0, row_of_values(), values);
}

at::Tensor Ragged::sum() const {
  return values.sum();
}

Ragged Ragged::with(at::Tensor other) const {
  require_shape(other, {values.size(0)});
  return {std::move(other), offsets};
}

Ragged Ragged::from_padded(const at::Tensor& table) const {
  require_shape(table, {size(), longest()});
  return {table.masked_select(mask()), offsets};
}

Ragged Ragged::spread(const at::Tensor& of_rows) const {
  require_shape(of_rows, {size()});
  return {of_rows.index_select(0, row_of_values()), offsets};
}

Ragged Ragged::select(const std::vector<std::int64_t>& rows) const {
  std::vector<std::int64_t> lengths, places;
  for (const std::int64_t row : rows) {
    lengths.push_back(length(row));
    for (std::int64_t i = 0; i < lengths.back(); ++i) places.push_back(offsets_of(*this)[row] + i);
  }
  return of(values.index_select(0, upload(at::tensor(places, at::kLong), values.device())), lengths);
}

}  // namespace v1
}  // namespace plumb
