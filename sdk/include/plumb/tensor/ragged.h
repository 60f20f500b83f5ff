// Rows of different lengths, end to end: per-token numbers of sequences. The one form that batches have for them.
//
//   const plumb::Ragged logps = plumb::Ragged::of(values, {3, 1, 2});  // values [6]: three rows
//   const at::Tensor sums = logps.sums();                              // [3]
//   const at::Tensor second = logps[1];                                // [1], a view
//   const at::Tensor table = logps.padded();                           // [3, 3], zeros behind the end of each row
//   const plumb::Ragged doubled = logps.with(2 * logps.values);        // the same rows
//
// What depends on single tokens is best computed on `values`, where there is no padding to keep out.
// Every function is differentiable in `values`. Thread contract: functions are [any].
#pragma once

#include <cstdint>
#include <vector>

#include "plumb/tensor/torch.h"

namespace plumb {
inline namespace v1 {

struct Ragged {
  at::Tensor values;   // [total], on any device
  at::Tensor offsets;  // [rows + 1] int64, on the CPU: row i is values[offsets[i]] to values[offsets[i + 1] - 1]

  // Throws Error(run_failed) when the lengths do not add up to the values.
  static Ragged of(at::Tensor values, const std::vector<std::int64_t>& lengths);
  static Ragged of(const std::vector<at::Tensor>& rows);  // copies; one at least

  [[nodiscard]] bool defined() const { return values.defined(); }
  [[nodiscard]] std::int64_t size() const { return offsets.defined() ? offsets.size(0) - 1 : 0; }  // rows
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] at::Tensor operator[](std::int64_t row) const;  // [length], a view
  [[nodiscard]] std::vector<at::Tensor> rows() const;           // views
  [[nodiscard]] std::int64_t length(std::int64_t row) const;
  [[nodiscard]] std::int64_t longest() const;

  // On the values' device:
  [[nodiscard]] at::Tensor lengths() const;                // [rows] int64
  [[nodiscard]] at::Tensor row_of_values() const;          // [total] int64: the row of each value
  [[nodiscard]] at::Tensor mask() const;                   // [rows, longest] bool: where padded() has a value
  [[nodiscard]] at::Tensor padded(double fill = 0) const;  // [rows, longest]
  [[nodiscard]] at::Tensor sums() const;                   // [rows], of the values' type
  [[nodiscard]] at::Tensor sum() const;                    // scalar, of all values

  // Rows as long as these with other values: `other` [total], or the places of `table` [rows, longest] where mask() is
  // true. These and `spread` throw Error(run_failed) for another shape.
  [[nodiscard]] Ragged with(at::Tensor other) const;
  [[nodiscard]] Ragged from_padded(const at::Tensor& table) const;
  // A value for each row, [rows], as rows of it.
  [[nodiscard]] Ragged spread(const at::Tensor& of_rows) const;
  // These rows, in this order; one may come several times.
  [[nodiscard]] Ragged select(const std::vector<std::int64_t>& rows) const;

  class Iterator {
   public:
    Iterator(const Ragged& of, std::int64_t row) : of_(&of), row_(row) {}
    at::Tensor operator*() const { return (*of_)[row_]; }
    Iterator& operator++() {
      ++row_;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return row_ != other.row_; }

   private:
    const Ragged* of_;
    std::int64_t row_;
  };
  [[nodiscard]] Iterator begin() const { return {*this, 0}; }
  [[nodiscard]] Iterator end() const { return {*this, size()}; }
};

}  // namespace v1
}  // namespace plumb
