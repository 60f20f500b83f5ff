#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/tensor.h>

#include <algorithm>

#include "framework/engine/modeling/attention.h"

namespace plumb {
namespace {

constexpr double kNever = -1e30;  // finite, so that a query that sees no key yields weight 0 and no NaN

at::Tensor on(const at::Device& device, const std::vector<std::int64_t>& values) {
  return at::tensor(values, at::kLong).to(device);
}

// Partial results of several calls, token after token.
struct Partial {
  std::vector<at::Tensor> out, lse;  // [n, heads, dim], [n, heads]
  std::vector<std::int64_t> place;   // of each token in their concatenation, -1: in none
};

struct Padded {
  at::Tensor index;  // [rows · width] token of each place; 0 in padding
  at::Tensor real;   // [rows, width]
};

Padded pad(const AttentionCall& call, bool queries, std::int64_t width, const at::Device& device) {
  std::vector<std::int64_t> index, lengths;
  for (const AttentionRow& row : call.rows) {
    const TokenRange& range = queries ? row.queries : row.keys;
    for (std::int64_t t = 0; t < width; ++t) index.push_back(t < range.length ? range.begin + t : 0);
    lengths.push_back(range.length);
  }
  return {on(device, index), at::arange(width, at::kLong).to(device).unsqueeze(0).lt(on(device, lengths).unsqueeze(1))};
}

// x [tokens, heads, dim] -> [rows, heads, width, dim]
at::Tensor rows_of(const at::Tensor& x, const Padded& places, std::int64_t repeat) {
  const auto rows = places.real.size(0), width = places.real.size(1);
  at::Tensor out = x.index_select(0, places.index).view({rows, width, x.size(1), x.size(2)});
  if (repeat > 1) out = out.repeat_interleave(repeat, 2);
  return out.transpose(1, 2);
}

void run(const AttentionCall& call, const at::Tensor& positions, const at::Tensor& q, const at::Tensor& k,
         const at::Tensor& v, double scale, std::int64_t window, Partial& into) {
  const std::int64_t width = call.causal ? call.longest : call.rows.front().keys.length;
  const Padded queries = pad(call, true, call.longest, q.device()), keys = pad(call, false, width, q.device());
  const std::int64_t repeat = q.size(1) / k.size(1);
  const auto exact = q.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const at::Tensor scores =
      at::matmul(rows_of(q, queries, 1), rows_of(k, keys, repeat).transpose(2, 3)).to(exact).mul(scale);

  const at::Tensor from = positions.index_select(0, queries.index).view(queries.real.sizes()).unsqueeze(2);
  const at::Tensor to = positions.index_select(0, keys.index).view(keys.real.sizes()).unsqueeze(1);
  at::Tensor allowed = keys.real.unsqueeze(1).logical_and(to.le(from));
  if (window > 0) allowed = allowed.logical_and((from - to).lt(window));
  const at::Tensor masked = scores.masked_fill(allowed.logical_not().unsqueeze(1), kNever);

  const at::Tensor lse = at::logsumexp(masked, {-1});  // [rows, heads, longest]
  const at::Tensor weights = (masked - lse.unsqueeze(-1)).exp().to(v.scalar_type());
  const at::Tensor out = at::matmul(weights, rows_of(v, keys, repeat));
  std::int64_t base = 0;
  for (const at::Tensor& earlier : into.out) base += earlier.size(0);
  for (std::size_t r = 0; r < call.rows.size(); ++r) {
    const TokenRange& range = call.rows[r].queries;
    for (std::int64_t t = 0; t < range.length; ++t) {
      into.place[static_cast<std::size_t>(range.begin + t)] = base + static_cast<std::int64_t>(r) * call.longest + t;
    }
  }
  into.out.push_back(out.transpose(1, 2).flatten(0, 1));
  into.lse.push_back(lse.transpose(1, 2).flatten(0, 1));
}

}  // namespace

at::Tensor plain_attention(const AttentionPlan& plan, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           double scale, std::int64_t window) {
  const at::Tensor positions = on(q.device(), plan.positions);
  Partial own, prompt;
  own.place.assign(static_cast<std::size_t>(plan.tokens), -1);
  prompt.place = own.place;
  for (const AttentionCall& call : plan.own) run(call, positions, q, k, v, scale, window, own);
  const at::Tensor own_place = on(q.device(), own.place);
  const at::Tensor own_out = at::cat(own.out).index_select(0, own_place);
  if (plan.prompt.empty()) return own_out;

  for (const AttentionCall& call : plan.prompt) run(call, positions, q, k, v, scale, window, prompt);
  // One more entry stands for "no prompt": weight 0.
  prompt.out.push_back(at::full({1, q.size(1), q.size(2)}, 0, own_out.options()));
  prompt.lse.push_back(at::full({1, q.size(1)}, kNever, prompt.lse.front().options()));
  const at::Tensor out = at::cat(prompt.out), lse = at::cat(prompt.lse);
  std::replace(prompt.place.begin(), prompt.place.end(), std::int64_t{-1}, out.size(0) - 1);
  const at::Tensor place = on(q.device(), prompt.place);
  const at::Tensor own_lse = at::cat(own.lse).index_select(0, own_place), prompt_lse = lse.index_select(0, place);
  const at::Tensor share = (prompt_lse - own_lse).sigmoid().unsqueeze(-1);  // e^p / (e^p + e^o)
  const at::Tensor merged =
      own_out.to(share.scalar_type()) * (1 - share) + out.index_select(0, place).to(share.scalar_type()) * share;
  return merged.to(q.scalar_type());
}

}  // namespace plumb
