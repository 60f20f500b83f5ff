// Lists of whole numbers that one forward pass needs on its device, sent there as one buffer.
//
//   IndexUpload lists;
//   const auto ids = lists.add(token_ids), rows = lists.add(row_numbers);
//   lists.send(model.device());
//   embed(lists[ids]); table.index_select(0, lists[rows]);   // views of the buffer
//
// Thread contract: one thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "plumb/tensor/torch.h"

namespace plumb {

class IndexUpload {
 public:
  // The list's number. Before send.
  std::size_t add(std::span<const std::int64_t> values);
  // As add; what arrives are float64 numbers: reals(number).
  std::size_t add_reals(std::span<const double> values);
  void send(const at::Device& device);

  [[nodiscard]] at::Tensor operator[](std::size_t list) const;  // [n] int64
  [[nodiscard]] at::Tensor reals(std::size_t list) const;       // [n] float64

 private:
  std::vector<std::int64_t> values_;
  std::vector<std::pair<std::int64_t, std::int64_t>> lists_;  // where each begins, and how long it is
  at::Tensor sent_;
};

}  // namespace plumb
