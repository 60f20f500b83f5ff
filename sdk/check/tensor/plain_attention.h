// Attention as its definition says: every score computed, every mask applied.
//
//   PlainAttention attention({5, 3});                    // two sequences, 5 and 3 tokens, laid end to end
//   model.hidden({ids, positions, attention});
//   attention.continue_with({1, 1});                     // the next forward pass sees what was kept
//
// Thread contract: [lane].
#pragma once

#include <map>
#include <vector>

#include "plumb/tensor/attention.h"

namespace plumb::check {

class PlainAttention final : public Attention {
 public:
  explicit PlainAttention(std::vector<std::int64_t> lengths) : lengths_(std::move(lengths)) {}
  void continue_with(std::vector<std::int64_t> lengths) { lengths_ = std::move(lengths); }
  at::Tensor attend(std::int64_t layer, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                    const AttentionOptions& options) override;

 private:
  struct Kept {
    at::Tensor keys, values;  // [tokens, kv_heads, dim]
  };
  std::vector<std::int64_t> lengths_;
  std::map<std::pair<std::int64_t, std::size_t>, Kept> kept_;  // by layer and sequence
};

}  // namespace plumb::check
