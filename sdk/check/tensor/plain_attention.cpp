#include "sdk/check/tensor/plain_attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>

#include <cmath>
#include <limits>

#include "sdk/check/context.h"

namespace plumb::check {
namespace {

// q [t, heads, dim] over k, v [n, heads, dim], n - t of them earlier than q's first token.
at::Tensor one_sequence(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                        const AttentionOptions& options) {
  const std::int64_t earlier = k.size(0) - q.size(0);
  const double scale = options.scale.value_or(1 / std::sqrt(static_cast<double>(q.size(2))));
  at::Tensor scores = at::matmul(q.transpose(0, 1), k.permute({1, 2, 0})) * scale;  // [heads, t, n]
  const at::Tensor place = at::arange(earlier, k.size(0)).unsqueeze(1);
  const at::Tensor key = at::arange(k.size(0)).unsqueeze(0);
  at::Tensor hidden = key > place;
  if (options.window) hidden = hidden.logical_or(key <= place - *options.window);
  scores = scores.masked_fill(hidden, -std::numeric_limits<double>::infinity());
  return at::matmul(at::softmax(scores, -1), v.transpose(0, 1)).transpose(0, 1);
}

}  // namespace

at::Tensor PlainAttention::attend(std::int64_t layer, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                  const AttentionOptions& options) {
  require(q.dim() == 3 && k.dim() == 3 && v.dim() == 3 && q.size(1) % k.size(1) == 0 && k.sizes() == v.sizes() &&
              q.size(0) == k.size(0) && q.size(2) == k.size(2),
          "attend wants q [tokens, heads, dim] and k, v [tokens, kv_heads, dim]");
  std::vector<at::Tensor> out;
  std::int64_t start = 0;
  for (std::size_t s = 0; s < lengths_.size(); ++s) {
    const std::int64_t length = lengths_[s];
    Kept& kept = kept_[{layer, s}];
    const at::Tensor keys = k.narrow(0, start, length), values = v.narrow(0, start, length);
    kept.keys = kept.keys.defined() ? at::cat({kept.keys, keys}) : keys;
    kept.values = kept.values.defined() ? at::cat({kept.values, values}) : values;
    const std::int64_t shared = q.size(1) / k.size(1);
    out.push_back(one_sequence(q.narrow(0, start, length), kept.keys.repeat_interleave(shared, 1),
                               kept.values.repeat_interleave(shared, 1), options));
    start += length;
  }
  require(start == q.size(0), "attend was given another number of tokens than the batch has");
  return at::cat(out);
}

}  // namespace plumb::check
