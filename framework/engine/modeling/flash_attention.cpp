// The CPU's flash kernel over the calls of a plan. Backward, each call gets the merged output and log-sum-exp: then the
// kernel's weights exp(q·k − lse) are the whole softmax's, and Σ dout·out its row correction, so the gradients of two
// calls over disjoint keys add up to the whole's (FlashAttention's own split over key blocks).
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu_backward.h>
#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "framework/engine/modeling/attention.h"
#include "framework/engine/modeling/saved_plan.h"

namespace plumb {
namespace {

constexpr std::int64_t kGrain = 32768;  // elements copied by one thread at least

template <class Body>
void for_each_place(const AttentionCall& call, std::int64_t width, std::int64_t elements, const Body& body) {
  const auto rows = static_cast<std::int64_t>(call.rows.size());
  at::parallel_for(0, rows * width, std::max<std::int64_t>(1, kGrain / elements),
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t i = begin; i < end; ++i)
                       body(call.rows[static_cast<std::size_t>(i / width)], i % width, i);
                   });
}

// Tokens of the call's ranges as [rows, heads · repeat, width, dim], zero in padding. x [tokens, heads, dim], last
// stride 1.
at::Tensor pad(const at::Tensor& x, const AttentionCall& call, TokenRange AttentionRow::*which, std::int64_t width,
               std::int64_t repeat) {
  if (call.rows.size() == 1 && repeat == 1) {
    const TokenRange& range = call.rows.front().*which;
    return x.narrow(0, range.begin, range.length).unsqueeze(0).transpose(1, 2);
  }
  const std::int64_t heads = x.size(1), dim = x.size(2), size = static_cast<std::int64_t>(x.element_size());
  at::Tensor out = at::empty({static_cast<std::int64_t>(call.rows.size()), width, heads * repeat, dim}, x.options());
  const auto* from = static_cast<const char*>(x.const_data_ptr());
  auto* to = static_cast<char*>(out.mutable_data_ptr());
  const std::int64_t token = x.stride(0) * size, head = x.stride(1) * size, piece = dim * size;
  const bool whole = repeat == 1 && head == piece;
  for_each_place(call, width, heads * repeat * dim, [&](const AttentionRow& row, std::int64_t t, std::int64_t place) {
    char* target = to + place * heads * repeat * piece;
    const TokenRange& range = row.*which;
    if (t >= range.length) {
      std::memset(target, 0, static_cast<std::size_t>(heads * repeat * piece));
      return;
    }
    const char* source = from + (range.begin + t) * token;
    if (whole) {
      std::memcpy(target, source, static_cast<std::size_t>(heads * piece));
      return;
    }
    for (std::int64_t h = 0; h < heads; ++h) {
      for (std::int64_t r = 0; r < repeat; ++r, target += piece) {
        std::memcpy(target, source + h * head, static_cast<std::size_t>(piece));
      }
    }
  });
  return out.transpose(1, 2);
}

// The way back: padded [rows, heads · repeat, width, dim] into x [tokens, heads, dim] contiguous, summed over `repeat`;
// added to what is there, or replacing it.
template <class T>
void unpad(const at::Tensor& padded, const AttentionCall& call, TokenRange AttentionRow::*which, std::int64_t repeat,
           bool add, const at::Tensor& x) {
  const at::Tensor rows = padded.transpose(1, 2).contiguous();  // the kernels' results lie so already
  const std::int64_t width = rows.size(1), heads = x.size(1), dim = x.size(2);
  const T* from = rows.const_data_ptr<T>();
  T* to = x.mutable_data_ptr<T>();
  for_each_place(call, width, heads * repeat * dim, [&](const AttentionRow& row, std::int64_t t, std::int64_t place) {
    const TokenRange& range = row.*which;
    if (t >= range.length) return;
    const T* source = from + place * heads * repeat * dim;
    T* target = to + (range.begin + t) * heads * dim;
    if (repeat == 1 && !add) {
      std::memcpy(target, source, static_cast<std::size_t>(heads * dim) * sizeof(T));
      return;
    }
    for (std::int64_t h = 0; h < heads; ++h, target += dim) {
      if (!add) std::memset(static_cast<void*>(target), 0, static_cast<std::size_t>(dim) * sizeof(T));
      for (std::int64_t r = 0; r < repeat; ++r, source += dim) {
        for (std::int64_t i = 0; i < dim; ++i) target[i] = target[i] + source[i];
      }
    }
  });
}

// Merges a call's output and log-sum-exp into those of the tokens: weights e^lse, in the precision of lse.
template <class T, class Real>
void merge(const at::Tensor& padded, const at::Tensor& padded_lse, const AttentionCall& call, const at::Tensor& out,
           const at::Tensor& lse) {
  const at::Tensor rows = padded.transpose(1, 2).contiguous(), weights = padded_lse.transpose(1, 2).contiguous();
  const std::int64_t width = rows.size(1), heads = rows.size(2), dim = rows.size(3);
  const T* from = rows.const_data_ptr<T>();
  const Real* from_lse = weights.const_data_ptr<Real>();
  T* to = out.mutable_data_ptr<T>();
  Real* to_lse = lse.mutable_data_ptr<Real>();
  for_each_place(call, width, heads * dim, [&](const AttentionRow& row, std::int64_t t, std::int64_t place) {
    if (t >= row.queries.length) return;
    const std::int64_t token = row.queries.begin + t;
    for (std::int64_t h = 0; h < heads; ++h) {
      Real& own = to_lse[token * heads + h];
      const Real other = from_lse[place * heads + h];
      const Real high = std::max(own, other);
      const Real sum = high + std::log1p(std::exp(std::min(own, other) - high));
      const Real keep = std::exp(own - sum), take = std::exp(other - sum);
      const T* source = from + (place * heads + h) * dim;
      T* target = to + (token * heads + h) * dim;
      for (std::int64_t i = 0; i < dim; ++i) {
        target[i] = static_cast<T>(keep * static_cast<Real>(target[i]) + take * static_cast<Real>(source[i]));
      }
      own = sum;
    }
  });
}

struct Inputs {
  at::Tensor q, k, v;
  double scale;
  [[nodiscard]] std::int64_t repeat() const { return q.size(1) / k.size(1); }
};

struct PaddedInputs {
  at::Tensor q, k, v;  // [rows, heads, width, dim]
};

PaddedInputs pad(const Inputs& in, const AttentionCall& call) {
  const std::int64_t keys = call.causal ? call.longest : call.rows.front().keys.length;
  return {pad(in.q, call, &AttentionRow::queries, call.longest, 1),
          pad(in.k, call, &AttentionRow::keys, keys, in.repeat()),
          pad(in.v, call, &AttentionRow::keys, keys, in.repeat())};
}

template <class T>
void forward(const Inputs& in, const AttentionPlan& plan, const at::Tensor& out, const at::Tensor& lse) {
  using Real = std::conditional_t<std::is_same_v<T, double>, double, float>;
  const auto run = [&](const AttentionCall& call) {
    const PaddedInputs p = pad(in, call);
    return at::_scaled_dot_product_flash_attention_for_cpu(p.q, p.k, p.v, 0.0, call.causal, {}, in.scale);
  };
  for (const AttentionCall& call : plan.own) {
    const auto [result, weight] = run(call);
    unpad<T>(result, call, &AttentionRow::queries, 1, false, out);
    unpad<Real>(weight.unsqueeze(-1), call, &AttentionRow::queries, 1, false, lse.unsqueeze(-1));
  }
  for (const AttentionCall& call : plan.prompt) {
    const auto [result, weight] = run(call);
    merge<T, Real>(result, weight, call, out, lse);
  }
}

template <class T>
void backward(const Inputs& in, const AttentionPlan& plan, const at::Tensor& out, const at::Tensor& lse,
              const at::Tensor& grad, const Inputs& grads) {
  const auto run = [&](const AttentionCall& call, bool add) {
    const PaddedInputs p = pad(in, call);
    const auto queries = &AttentionRow::queries;
    const auto [dq, dk, dv] = at::_scaled_dot_product_flash_attention_for_cpu_backward(
        pad(grad, call, queries, call.longest, 1), p.q, p.k, p.v, pad(out, call, queries, call.longest, 1),
        pad(lse.unsqueeze(-1), call, queries, call.longest, 1).squeeze(-1), 0.0, call.causal, {}, in.scale);
    unpad<T>(dq, call, queries, 1, add, grads.q);
    unpad<T>(dk, call, &AttentionRow::keys, in.repeat(), add, grads.k);
    unpad<T>(dv, call, &AttentionRow::keys, in.repeat(), add, grads.v);
  };
  for (const AttentionCall& call : plan.own) run(call, false);
  for (const AttentionCall& call : plan.prompt) run(call, true);
}

class Flash : public torch::autograd::Function<Flash> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& q, const at::Tensor& k,
                            const at::Tensor& v, const c10::intrusive_ptr<SavedPlan>& saved) {
    const Inputs in{with_dense_heads(q), with_dense_heads(k), with_dense_heads(v), saved->scale};
    const auto real = q.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    const at::Tensor out = at::empty(q.sizes(), q.options());
    const at::Tensor lse = at::empty({q.size(0), q.size(1)}, q.options().dtype(real));
    AT_DISPATCH_FLOATING_TYPES_AND2(at::kBFloat16, at::kHalf, q.scalar_type(), "flash_attention",
                                    [&] { plumb::forward<scalar_t>(in, *saved->plan, out, lse); });
    context->save_for_backward({q, k, v, out, lse});
    context->saved_data["plan"] = c10::IValue::make_capsule(saved);
    return out;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    const auto tensors = context->get_saved_variables();
    const auto saved = context->saved_data["plan"].toCapsule();
    const auto& plan = static_cast<const SavedPlan&>(*saved);
    const Inputs in{with_dense_heads(tensors[0]), with_dense_heads(tensors[1]), with_dense_heads(tensors[2]),
                    plan.scale};
    const auto like = [](const at::Tensor& x) { return at::empty(x.sizes(), x.options()); };
    const Inputs out{like(in.q), like(in.k), like(in.v), plan.scale};
    AT_DISPATCH_FLOATING_TYPES_AND2(at::kBFloat16, at::kHalf, in.q.scalar_type(), "flash_attention_backward", [&] {
      plumb::backward<scalar_t>(in, *plan.plan, tensors[3], tensors[4], with_dense_heads(grads[0]), out);
    });
    return {out.q, out.k, out.v, at::Tensor()};
  }
};

}  // namespace

at::Tensor flash_attention(std::shared_ptr<const AttentionPlan> plan, const at::Tensor& q, const at::Tensor& k,
                           const at::Tensor& v, double scale) {
  return Flash::apply(q, k, v, c10::make_intrusive<SavedPlan>(std::move(plan), scale));
}

}  // namespace plumb
