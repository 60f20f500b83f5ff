// Attention over short sequences in float, straight on the tokens where they lie. One task is one group of sequences
// and one key head; it computes prompt and responses one after another, so the prompt's gradients meet without locks
// and nothing depends on the number of threads.
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "framework/engine/modeling/attention.h"
#include "framework/engine/modeling/lanes.h"
#include "framework/engine/modeling/saved_plan.h"

namespace plumb {
namespace {

using lanes::Floats;
constexpr std::int64_t kLongest = 160;  // beyond it the flash kernel is as fast

// [tokens, heads, dim] in memory, the last stride 1.
struct Place {
  float* data = nullptr;
  std::int64_t token = 0, head = 0;
  explicit Place(const at::Tensor& x)
      : data(const_cast<float*>(x.const_data_ptr<float>())), token(x.stride(0)), head(x.stride(1)) {}
  [[nodiscard]] PLUMB_INLINE float* at(std::int64_t t, std::int64_t h) const { return data + t * token + h * head; }
};

struct Forward {
  Place q, k, v, out;
  float* lse;  // [tokens, heads]
  std::int64_t heads, kv_heads;
  float scale;
};

struct Backward {
  Place grad, dq, dk, dv;
};

// A response with its prompt, or a prompt alone: queries [begin, begin + count) see the keys [prefix_begin,
// prefix_begin + prefix) and those of [begin, begin + count) up to themselves.
struct Piece {
  std::int64_t prefix_begin, prefix, begin, count;
  [[nodiscard]] PLUMB_INLINE std::int64_t key(std::int64_t j) const {
    return j < prefix ? prefix_begin + j : begin + j - prefix;
  }
};

// One thread's work space. Columns are keys, `columns` a multiple of the vector's width.
struct Space {
  std::int64_t columns = 0;
  std::vector<float> keys, values;     // [dim][columns], transposed
  std::vector<float> weights, slopes;  // [queries][columns]

  Space(std::int64_t longest, std::int64_t dim, bool backward)
      : columns((longest + lanes::width - 1) / lanes::width * lanes::width) {
    const auto table = static_cast<std::size_t>(dim * columns), matrix = static_cast<std::size_t>(longest * columns);
    keys.resize(table);
    weights.resize(matrix);
    if (!backward) return;
    values.resize(table);
    slopes.resize(matrix);
  }
};

PLUMB_INLINE inline Floats column_numbers(std::int64_t first) {
  Floats v;
  for (int i = 0; i < lanes::width; ++i) v[i] = static_cast<float>(i);
  return v + static_cast<float>(first);
}

template <int V>  // dim / 16
struct Kernel {
  static constexpr std::int64_t dim = V * lanes::width;

  // Columns [from, to) of the transposed table.
  PLUMB_INLINE static void transpose(const Place& x, std::int64_t head, const Piece& piece, std::int64_t from,
                                     std::int64_t to, std::vector<float>& table, std::int64_t columns) {
    for (std::int64_t j = from; j < to; ++j) {
      const float* row = x.at(piece.key(j), head);
      for (std::int64_t d = 0; d < dim; ++d) table[static_cast<std::size_t>(d * columns + j)] = row[d];
    }
    const std::int64_t end = (to + lanes::width - 1) / lanes::width * lanes::width;
    for (std::int64_t d = 0; d < dim; ++d) {
      std::fill(table.data() + d * columns + to, table.data() + d * columns + end, 0.0F);
    }
  }

  // row · table, for the first `count` columns (rounded up to whole vectors).
  PLUMB_INLINE static void times_table(const float* row, const float* table, std::int64_t columns, std::int64_t count,
                                       float* out) {
    std::int64_t c = 0;
    for (; c + lanes::width < count; c += 2 * lanes::width) {
      Floats a{}, b{}, a2{}, b2{};
      const float* t = table + c;
      for (std::int64_t d = 0; d < dim; d += 2, t += 2 * columns) {
        a += lanes::load(t) * row[d];
        b += lanes::load(t + lanes::width) * row[d];
        a2 += lanes::load(t + columns) * row[d + 1];
        b2 += lanes::load(t + columns + lanes::width) * row[d + 1];
      }
      lanes::store(out + c, a + a2);
      lanes::store(out + c + lanes::width, b + b2);
    }
    if (c >= count) return;
    Floats a{}, a2{};
    const float* t = table + c;
    for (std::int64_t d = 0; d < dim; d += 2, t += 2 * columns) {
      a += lanes::load(t) * row[d];
      a2 += lanes::load(t + columns) * row[d + 1];
    }
    lanes::store(out + c, a + a2);
  }

  // Σ_j weight[j] · x[key j] over the first `count` keys.
  PLUMB_INLINE static void weighted_rows(const float* weight, const Place& x, std::int64_t head, const Piece& piece,
                                         std::int64_t count, float* out) {
    Floats sum[V] = {}, sum2[V] = {};
    const auto run = [&](std::int64_t first_token, std::int64_t n, const float* w) PLUMB_INLINE {
      const float* row = x.at(first_token, head);
      std::int64_t j = 0;
      for (; j + 1 < n; j += 2, row += 2 * x.token) {
        for (int e = 0; e < V; ++e) {
          sum[e] += lanes::load(row + e * lanes::width) * w[j];
          sum2[e] += lanes::load(row + x.token + e * lanes::width) * w[j + 1];
        }
      }
      if (j < n) {
        for (int e = 0; e < V; ++e) sum[e] += lanes::load(row + e * lanes::width) * w[j];
      }
    };
    run(piece.prefix_begin, std::min(piece.prefix, count), weight);
    if (count > piece.prefix) run(piece.begin, count - piece.prefix, weight + piece.prefix);
    for (int e = 0; e < V; ++e) lanes::store(out + e * lanes::width, sum[e] + sum2[e]);
  }

  PLUMB_INLINE static float dot(const float* a, const float* b) {
    Floats sum{};
    for (int e = 0; e < V; ++e) sum += lanes::load(a + e * lanes::width) * lanes::load(b + e * lanes::width);
    return lanes::sum(sum);
  }

  // exp(scale · score − shift) of the first `count` columns, 0 in the rest of the last vector; returns the sum.
  PLUMB_INLINE static float exponentials(float* row, std::int64_t count, float scale, float shift) {
    Floats total{};
    for (std::int64_t c = 0; c < count; c += lanes::width) {
      Floats e = lanes::exp(lanes::load(row + c) * scale - shift);
      if (c + lanes::width > count) e = column_numbers(c) < static_cast<float>(count) ? e : Floats{};
      lanes::store(row + c, e);
      total += e;
    }
    return lanes::sum(total);
  }

  PLUMB_INLINE static void forward(const Forward& f, const Piece& piece, std::int64_t head, std::int64_t kv_head,
                                   Space& space) {
    for (std::int64_t i = 0; i < piece.count; ++i) {
      const std::int64_t token = piece.begin + i, count = piece.prefix + i + 1;
      float* row = space.weights.data();
      times_table(f.q.at(token, head), space.keys.data(), space.columns, count, row);
      float highest = -std::numeric_limits<float>::infinity();
      for (std::int64_t j = 0; j < count; ++j) highest = std::max(highest, row[j]);
      const float sum = exponentials(row, count, f.scale, highest * f.scale);
      float* out = f.out.at(token, head);
      weighted_rows(row, f.v, kv_head, piece, count, out);
      for (int e = 0; e < V; ++e) lanes::store(out + e * lanes::width, lanes::load(out + e * lanes::width) * (1 / sum));
      f.lse[token * f.heads + head] = highest * f.scale + std::log(sum);
    }
  }

  // into[key j] += Σ_i matrix[i][j] · x[query i]: queries that see key j only.
  PLUMB_INLINE static void add_columns(const std::vector<float>& matrix, std::int64_t columns, const Place& x,
                                       std::int64_t head, const Piece& piece, const Place& into, std::int64_t kv_head) {
    for (std::int64_t j = 0; j < piece.prefix + piece.count; ++j) {
      float* target = into.at(piece.key(j), kv_head);
      Floats sum[V], sum2[V] = {};
      for (int e = 0; e < V; ++e) sum[e] = lanes::load(target + e * lanes::width);
      std::int64_t i = std::max<std::int64_t>(0, j - piece.prefix);
      const float* weight = matrix.data() + i * columns + j;
      const float* row = x.at(piece.begin + i, head);
      for (; i + 1 < piece.count; i += 2, weight += 2 * columns, row += 2 * x.token) {
        for (int e = 0; e < V; ++e) {
          sum[e] += lanes::load(row + e * lanes::width) * weight[0];
          sum2[e] += lanes::load(row + x.token + e * lanes::width) * weight[columns];
        }
      }
      if (i < piece.count) {
        for (int e = 0; e < V; ++e) sum[e] += lanes::load(row + e * lanes::width) * weight[0];
      }
      for (int e = 0; e < V; ++e) lanes::store(target + e * lanes::width, sum[e] + sum2[e]);
    }
  }

  PLUMB_INLINE static void backward(const Forward& f, const Backward& b, const Piece& piece, std::int64_t head,
                                    std::int64_t kv_head, Space& space) {
    for (std::int64_t i = 0; i < piece.count; ++i) {
      const std::int64_t token = piece.begin + i, count = piece.prefix + i + 1;
      float *weight = space.weights.data() + i * space.columns, *slope = space.slopes.data() + i * space.columns;
      times_table(f.q.at(token, head), space.keys.data(), space.columns, count, weight);
      exponentials(weight, count, f.scale, f.lse[token * f.heads + head]);
      const float* grad = b.grad.at(token, head);
      times_table(grad, space.values.data(), space.columns, count, slope);
      const float mean = dot(grad, f.out.at(token, head));
      for (std::int64_t c = 0; c < count; c += lanes::width) {
        lanes::store(slope + c, (lanes::load(slope + c) - mean) * lanes::load(weight + c) * f.scale);
      }
      weighted_rows(slope, f.k, kv_head, piece, count, b.dq.at(token, head));
    }
    add_columns(space.slopes, space.columns, f.q, head, piece, b.dk, kv_head);
    add_columns(space.weights, space.columns, b.grad, head, piece, b.dv, kv_head);
  }

  // The prompt, then its responses; the prompt's columns of the tables serve all of them.
  PLUMB_INLINE static void group(const Forward& f, const Backward* b, const PromptGroup& group, std::int64_t begin,
                                 std::int64_t kv_head, Space& space) {
    const std::int64_t repeat = f.heads / f.kv_heads;
    const auto run = [&](const Piece& piece) PLUMB_INLINE {
      transpose(f.k, kv_head, piece, piece.prefix, piece.prefix + piece.count, space.keys, space.columns);
      if (b != nullptr)
        transpose(f.v, kv_head, piece, piece.prefix, piece.prefix + piece.count, space.values, space.columns);
      for (std::int64_t h = kv_head * repeat; h < (kv_head + 1) * repeat; ++h) {
        b == nullptr ? forward(f, piece, h, kv_head, space) : backward(f, *b, piece, h, kv_head, space);
      }
    };
    run({begin, 0, begin, group.prompt});
    std::int64_t next = begin + group.prompt;
    for (const std::int64_t length : group.responses) {
      run({begin, group.prompt, next, length});
      next += length;
    }
  }
};

void run_groups(const AttentionPlan& plan, const Forward& f, const Backward* b, std::int64_t dim) {
  std::vector<std::int64_t> begins;
  std::int64_t begin = 0;
  for (const PromptGroup& group : plan.groups) {
    begins.push_back(begin);
    begin = std::accumulate(group.responses.begin(), group.responses.end(), begin + group.prompt);
  }
  const auto tasks = static_cast<std::int64_t>(plan.groups.size()) * f.kv_heads;
  at::parallel_for(0, tasks, 4, [&](std::int64_t first, std::int64_t last) {
    Space space(plan.longest, dim, b != nullptr);
    lanes::on_widest([&]() PLUMB_INLINE {
      for (std::int64_t task = first; task < last; ++task) {
        const auto g = static_cast<std::size_t>(task / f.kv_heads);
        const std::int64_t head = task % f.kv_heads;
        switch (dim / lanes::width) {
          case 1:
            Kernel<1>::group(f, b, plan.groups[g], begins[g], head, space);
            break;
          case 2:
            Kernel<2>::group(f, b, plan.groups[g], begins[g], head, space);
            break;
          case 4:
            Kernel<4>::group(f, b, plan.groups[g], begins[g], head, space);
            break;
          default:
            Kernel<8>::group(f, b, plan.groups[g], begins[g], head, space);
        }
      }
    });
  });
}

class Short : public torch::autograd::Function<Short> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& q_any, const at::Tensor& k_any,
                            const at::Tensor& v_any, const c10::intrusive_ptr<SavedPlan>& saved) {
    const at::Tensor q = with_dense_heads(q_any), k = with_dense_heads(k_any), v = with_dense_heads(v_any);
    const at::Tensor out = at::empty(q.sizes(), q.options()), lse = at::empty({q.size(0), q.size(1)}, q.options());
    const Forward f{Place(q),
                    Place(k),
                    Place(v),
                    Place(out),
                    lse.mutable_data_ptr<float>(),
                    q.size(1),
                    k.size(1),
                    static_cast<float>(saved->scale)};
    run_groups(*saved->plan, f, nullptr, q.size(2));
    context->save_for_backward({q_any, k_any, v_any, out, lse});
    context->saved_data["plan"] = c10::IValue::make_capsule(saved);
    return out;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    const auto tensors = context->get_saved_variables();
    const auto holder = context->saved_data["plan"].toCapsule();
    const auto& saved = static_cast<const SavedPlan&>(*holder);
    const at::Tensor q = with_dense_heads(tensors[0]), k = with_dense_heads(tensors[1]),
                     v = with_dense_heads(tensors[2]);
    const at::Tensor grad = with_dense_heads(grads[0]);
    const at::Tensor dq = at::empty(q.sizes(), q.options());
    const at::Tensor dk = at::zeros(k.sizes(), k.options()), dv = at::zeros(v.sizes(), v.options());
    at::Tensor lse = tensors[4];
    const Forward f{Place(q),
                    Place(k),
                    Place(v),
                    Place(tensors[3]),
                    lse.mutable_data_ptr<float>(),
                    q.size(1),
                    k.size(1),
                    static_cast<float>(saved.scale)};
    const Backward b{Place(grad), Place(dq), Place(dk), Place(dv)};
    run_groups(*saved.plan, f, &b, q.size(2));
    return {dq, dk, dv, at::Tensor()};
  }
};

}  // namespace

bool takes_short_attention(const AttentionPlan& plan, const at::Tensor& q, const at::Tensor& k) {
  const std::int64_t dim = q.size(2);
  return q.scalar_type() == at::kFloat && k.scalar_type() == at::kFloat && plan.longest <= kLongest &&
         (dim == 16 || dim == 32 || dim == 64 || dim == 128);
}

at::Tensor short_attention(std::shared_ptr<const AttentionPlan> plan, const at::Tensor& q, const at::Tensor& k,
                           const at::Tensor& v, double scale) {
  return Short::apply(q, k, v, c10::make_intrusive<SavedPlan>(std::move(plan), scale));
}

}  // namespace plumb
