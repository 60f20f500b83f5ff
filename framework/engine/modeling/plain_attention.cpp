#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>

#include "framework/engine/modeling/attention.h"
#include "framework/engine/modeling/index_upload.h"

namespace plumb {
namespace {

constexpr double kNever = -1e30;  // finite, so that a query that sees no key yields weight 0 and no NaN

struct Padded {
  at::Tensor index;  // [rows · width] token of each place; 0 in padding
  at::Tensor real;   // [rows, width]
};

struct PaddedCall {
  Padded queries, keys;
};

}  // namespace

struct PlainLists {
  at::Tensor positions;                 // [tokens]
  std::vector<PaddedCall> own, prompt;  // the plan's calls
  // Of each token its place in the concatenated results of the calls. Behind those of `prompt` stands one more, for
  // tokens without a prompt.
  at::Tensor own_place, prompt_place;
};

namespace {

// Lists of a Padded that is on its way.
struct Sent {
  std::size_t index, lengths;
  std::int64_t width;
  [[nodiscard]] Padded arrived(const IndexUpload& upload) const {
    const at::Tensor real = upload[lengths];
    return {upload[index], at::arange(width, real.options()).unsqueeze(0).lt(real.unsqueeze(1))};
  }
};

Sent send(IndexUpload& upload, const AttentionCall& call, TokenRange AttentionRow::*which, std::int64_t width) {
  std::vector<std::int64_t> index, lengths;
  for (const AttentionRow& row : call.rows) {
    const TokenRange& range = row.*which;
    for (std::int64_t t = 0; t < width; ++t) index.push_back(t < range.length ? range.begin + t : 0);
    lengths.push_back(range.length);
  }
  return {upload.add(index), upload.add(lengths), width};
}

std::vector<std::int64_t> places_of(const std::vector<AttentionCall>& calls, std::int64_t tokens) {
  std::int64_t base = 0;
  for (const AttentionCall& call : calls) base += static_cast<std::int64_t>(call.rows.size()) * call.longest;
  std::vector<std::int64_t> place(static_cast<std::size_t>(tokens), base);
  base = 0;
  for (const AttentionCall& call : calls) {
    for (const AttentionRow& row : call.rows) {
      for (std::int64_t t = 0; t < row.queries.length; ++t) {
        place[static_cast<std::size_t>(row.queries.begin + t)] = base + t;
      }
      base += call.longest;
    }
  }
  return place;
}

// Results of several calls, token after token: [n, heads, dim], [n, heads].
struct Partial {
  std::vector<at::Tensor> out, lse;
};

// x [tokens, heads, dim] -> [rows, heads, width, dim]
at::Tensor rows_of(const at::Tensor& x, const Padded& places, std::int64_t repeat) {
  const auto rows = places.real.size(0), width = places.real.size(1);
  at::Tensor out = x.index_select(0, places.index).view({rows, width, x.size(1), x.size(2)});
  if (repeat > 1) out = out.repeat_interleave(repeat, 2);
  return out.transpose(1, 2);
}

void run(const PaddedCall& call, const at::Tensor& positions, const at::Tensor& q, const at::Tensor& k,
         const at::Tensor& v, double scale, std::int64_t window, Partial& into) {
  const auto& [queries, keys] = call;
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
  into.out.push_back(out.transpose(1, 2).flatten(0, 1));
  into.lse.push_back(lse.transpose(1, 2).flatten(0, 1));
}

}  // namespace

std::shared_ptr<const PlainLists> plain_lists(const AttentionPlan& plan, const at::Device& device) {
  IndexUpload upload;
  const std::size_t positions = upload.add(plan.positions);
  std::vector<std::pair<Sent, Sent>> own, prompt;
  for (const auto& [calls, sent] : {std::pair{&plan.own, &own}, {&plan.prompt, &prompt}}) {
    for (const AttentionCall& call : *calls) {
      const std::int64_t width = call.causal ? call.longest : call.rows.front().keys.length;
      sent->emplace_back(send(upload, call, &AttentionRow::queries, call.longest),
                         send(upload, call, &AttentionRow::keys, width));
    }
  }
  const std::size_t own_place = upload.add(places_of(plan.own, plan.tokens)),
                    prompt_place = upload.add(places_of(plan.prompt, plan.tokens));
  upload.send(device);
  auto lists = std::make_shared<PlainLists>();
  lists->positions = upload[positions];
  for (const auto& [queries, keys] : own) lists->own.push_back({queries.arrived(upload), keys.arrived(upload)});
  for (const auto& [queries, keys] : prompt) lists->prompt.push_back({queries.arrived(upload), keys.arrived(upload)});
  lists->own_place = upload[own_place];
  lists->prompt_place = upload[prompt_place];
  return lists;
}

at::Tensor plain_attention(const PlainLists& lists, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           double scale, std::int64_t window) {
  Partial own, prompt;
  for (const PaddedCall& call : lists.own) run(call, lists.positions, q, k, v, scale, window, own);
  const at::Tensor own_out = at::cat(own.out).index_select(0, lists.own_place);
  if (lists.prompt.empty()) return own_out;

  for (const PaddedCall& call : lists.prompt) run(call, lists.positions, q, k, v, scale, window, prompt);
  // One more entry stands for "no prompt": weight 0.
  prompt.out.push_back(at::full({1, q.size(1), q.size(2)}, 0, own_out.options()));
  prompt.lse.push_back(at::full({1, q.size(1)}, kNever, prompt.lse.front().options()));
  const at::Tensor own_lse = at::cat(own.lse).index_select(0, lists.own_place),
                   prompt_lse = at::cat(prompt.lse).index_select(0, lists.prompt_place);
  const at::Tensor share = (prompt_lse - own_lse).sigmoid().unsqueeze(-1);  // e^p / (e^p + e^o)
  const at::Tensor merged = own_out.to(share.scalar_type()) * (1 - share) +
                            at::cat(prompt.out).index_select(0, lists.prompt_place).to(share.scalar_type()) * share;
  return merged.to(q.scalar_type());
}

}  // namespace plumb
