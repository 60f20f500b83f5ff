// Operators that LibTorch has for CUDA alone, by their definitions, in double. What a GPU's kernels refuse is refused.
#include <ATen/TensorOperators.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <torch/library.h>

#include <c10/util/strides.h>
#include <limits>

#include "accounting.h"
#include "strict_device.h"

namespace plumb::strict {
namespace {

at::Tensor make(at::IntArrayRef size, at::ScalarType type) {
  return new_tensor(size, c10::contiguous_strides(size), type);
}

void put(const at::Tensor& to, const at::Tensor& numbers) {
  const Opened opened(to);
  opened.cpu().copy_(numbers);
}

void check_offsets(const at::Tensor& offsets) {
  TORCH_CHECK(offsets.scalar_type() == at::kInt && offsets.is_contiguous() && offsets.device().type() == kDevice,
              "offsets of sequences are contiguous int32 numbers on the device");
}

// One sequence of a ragged batch.
struct Part {
  std::int64_t first_query, queries, first_key, keys;
};

std::vector<Part> parts_of(const at::Tensor& query_offsets, const at::Tensor& key_offsets, const at::Tensor* used,
                           std::int64_t most_queries, std::int64_t most_keys) {
  const Opened q(query_offsets), k(key_offsets), u(used != nullptr ? *used : key_offsets);
  const at::Tensor from = q.cpu(), to = k.cpu(), length = u.cpu();
  std::vector<Part> parts;
  for (std::int64_t i = 0; i + 1 < from.numel(); ++i) {
    const auto at = [](const at::Tensor& x, std::int64_t place) {
      return std::int64_t{x.const_data_ptr<std::int32_t>()[place]};
    };
    const Part part{at(from, i), at(from, i + 1) - at(from, i), at(to, i),
                    used != nullptr ? at(length, i) : at(to, i + 1) - at(to, i)};
    TORCH_CHECK(part.queries <= most_queries && part.keys <= most_keys, "a sequence is longer than was said");
    parts.push_back(part);
  }
  return parts;
}

void check_heads(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  for (const at::Tensor* x : {&q, &k, &v}) {
    TORCH_CHECK(x->dim() == 3 && x->stride(2) == 1, "attention reads [tokens, heads, dim], numbers of a head together");
    TORCH_CHECK(x->size(2) % 8 == 0 && x->size(2) <= 256, "a head has a multiple of 8 numbers, at most 256");
    TORCH_CHECK(x->scalar_type() == q.scalar_type(), "queries, keys and values are of one type");
  }
  TORCH_CHECK(q.size(1) % k.size(1) == 0, "heads are a multiple of those of the keys");
}

// [heads, rows, dim] in double
at::Tensor rows(const at::Tensor& x, std::int64_t first, std::int64_t count, std::int64_t repeat) {
  return x.narrow(0, first, count).to(at::kDouble).transpose(0, 1).repeat_interleave(repeat, 0);
}

at::Tensor scores_of(const at::Tensor& q, const at::Tensor& k, double scale, bool causal) {
  at::Tensor scores = at::matmul(q, k.transpose(1, 2)).mul_(scale);
  if (!causal) return scores;
  const at::Tensor seen = at::ones({q.size(1), k.size(1)}, at::kBool).tril_(k.size(1) - q.size(1));
  return scores.masked_fill_(seen.logical_not(), -std::numeric_limits<double>::infinity());
}

using Five = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor>;

Five flash_forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                   const std::optional<at::Tensor>& query_offsets, const std::optional<at::Tensor>& key_offsets,
                   c10::SymInt most_queries, c10::SymInt most_keys, double dropout, bool causal, bool debug,
                   std::optional<double> scale, std::optional<c10::SymInt> left, std::optional<c10::SymInt> right,
                   const std::optional<at::Tensor>& used, const std::optional<at::Tensor>& slopes) {
  TORCH_CHECK(query_offsets && key_offsets && dropout == 0 && !debug && !left && !right && !slopes && scale,
              "only ragged batches without extras are here");
  count_launch("aten::_flash_attention_forward");
  check_heads(q, k, v);
  check_offsets(*query_offsets);
  check_offsets(*key_offsets);
  if (used) check_offsets(*used);
  at::Tensor out = make(q.sizes(), q.scalar_type());
  at::Tensor lse = make({q.size(1), q.size(0)}, at::kFloat);
  Five result{out, lse, make({2}, at::kLong), make({}, at::kLong), make({0}, q.scalar_type())};
  if (dry()) return result;
  const Opened open_q(q), open_k(k), open_v(v), open_out(out), open_lse(lse);
  const std::int64_t repeat = q.size(1) / k.size(1);
  open_out.cpu().zero_();
  open_lse.cpu().fill_(std::numeric_limits<float>::infinity());
  for (const Part& part : parts_of(*query_offsets, *key_offsets, used ? &*used : nullptr, most_queries.expect_int(),
                                   most_keys.expect_int())) {
    if (part.queries == 0 || part.keys == 0) continue;
    const at::Tensor scores = scores_of(rows(open_q.cpu(), part.first_query, part.queries, 1),
                                        rows(open_k.cpu(), part.first_key, part.keys, repeat), *scale, causal);
    const at::Tensor mixed = at::matmul(scores.softmax(2), rows(open_v.cpu(), part.first_key, part.keys, repeat));
    open_out.cpu().narrow(0, part.first_query, part.queries).copy_(mixed.transpose(0, 1));
    open_lse.cpu().narrow(1, part.first_query, part.queries).copy_(at::logsumexp(scores, {2}));
  }
  return result;
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> flash_backward(
    const at::Tensor& grad, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& out,
    const at::Tensor& lse, const at::Tensor& query_offsets, const at::Tensor& key_offsets, c10::SymInt most_queries,
    c10::SymInt most_keys, double dropout, bool causal, const at::Tensor& /*random*/, const at::Tensor& /*unused*/,
    std::optional<double> scale, std::optional<c10::SymInt> left, std::optional<c10::SymInt> right) {
  TORCH_CHECK(dropout == 0 && !left && !right && scale, "only ragged batches without extras are here");
  TORCH_CHECK(grad.stride(2) == 1 && out.stride(2) == 1 && lse.is_contiguous(), "numbers of a head lie together");
  count_launch("aten::_flash_attention_backward");
  check_heads(q, k, v);
  check_offsets(query_offsets);
  check_offsets(key_offsets);
  const at::Tensor dq = make(q.sizes(), q.scalar_type()), dk = make(k.sizes(), k.scalar_type()),
                   dv = make(v.sizes(), v.scalar_type());
  if (dry()) return {dq, dk, dv};
  const Opened open_g(grad), open_q(q), open_k(k), open_v(v), open_out(out), open_lse(lse);
  const Opened open_dq(dq), open_dk(dk), open_dv(dv);
  for (const Opened* made : {&open_dq, &open_dk, &open_dv}) made->cpu().zero_();
  const std::int64_t repeat = q.size(1) / k.size(1);
  // [heads, keys, dim] -> [keys, key heads, dim]
  const auto summed = [&](const at::Tensor& x) {
    return x.view({k.size(1), repeat, x.size(1), x.size(2)}).sum(1).transpose(0, 1);
  };
  for (const Part& part :
       parts_of(query_offsets, key_offsets, nullptr, most_queries.expect_int(), most_keys.expect_int())) {
    if (part.queries == 0 || part.keys == 0) continue;
    const auto of = [&](const Opened& x) { return rows(x.cpu(), part.first_query, part.queries, 1); };
    const at::Tensor queries = of(open_q), g = of(open_g), keys = rows(open_k.cpu(), part.first_key, part.keys, repeat),
                     values = rows(open_v.cpu(), part.first_key, part.keys, repeat);
    const at::Tensor whole = open_lse.cpu().narrow(1, part.first_query, part.queries).to(at::kDouble).unsqueeze(2);
    const at::Tensor p = (scores_of(queries, keys, *scale, causal) - whole).exp();
    const at::Tensor mean = (g * of(open_out)).sum(2, true);
    const at::Tensor ds = p * (at::matmul(g, values.transpose(1, 2)) - mean) * *scale;
    open_dq.cpu().narrow(0, part.first_query, part.queries).copy_(at::matmul(ds, keys).transpose(0, 1));
    open_dk.cpu().narrow(0, part.first_key, part.keys).copy_(summed(at::matmul(ds.transpose(1, 2), queries)));
    open_dv.cpu().narrow(0, part.first_key, part.keys).copy_(summed(at::matmul(p.transpose(1, 2), g)));
  }
  return {dq, dk, dv};
}

// y = x · r · w with r = rsqrt(mean x² + ε): dx = r (g w − n · mean(g w n)), dw = Σ g n, where n = x r.
std::tuple<at::Tensor, at::Tensor> rms_norm_backward(const at::Tensor& grad, const at::Tensor& x,
                                                     at::IntArrayRef /*shape*/, const at::Tensor& inverse,
                                                     const std::optional<at::Tensor>& weight,
                                                     std::array<bool, 2> wanted) {
  TORCH_CHECK(weight, "only with a weight");
  count_launch("aten::_fused_rms_norm_backward");
  const at::Tensor dx = make(x.sizes(), x.scalar_type());
  const at::Tensor dw = wanted[1] ? make(weight->sizes(), weight->scalar_type()) : at::Tensor();
  if (dry()) return {dx, dw};
  const Opened open_g(grad), open_x(x), open_r(inverse), open_w(*weight);
  const at::Tensor g = open_g.cpu().to(at::kDouble), r = open_r.cpu().to(at::kDouble), w = open_w.cpu().to(at::kDouble);
  const at::Tensor n = open_x.cpu().to(at::kDouble) * r, up = g * w;
  put(dx, r * (up - n * (up * n).mean(-1, true)));
  if (dw.defined()) put(dw, (g * n).sum(0));
  return {dx, dw};
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("_flash_attention_forward", TORCH_FN(flash_forward));
  m.impl("_flash_attention_backward", TORCH_FN(flash_backward));
  m.impl("_fused_rms_norm_backward", TORCH_FN(rms_norm_backward));
}

}  // namespace
}  // namespace plumb::strict
