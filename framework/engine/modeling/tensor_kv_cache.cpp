// The key-value cache out of LibTorch's operators, for devices other than the CPU. Prompts and rows lie in slabs
// indexed by slot; every slot takes part in a step, busy or not, so that no keys are copied. Scores on the prompt and
// on the row's own tokens are laid side by side under one softmax.
#include <ATen/TensorIndexing.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "framework/core/catalogue/cache_growth.h"
#include "framework/engine/modeling/kv_cache.h"
#include "plumb/error.h"

namespace plumb {
namespace {

// Keys or values of all layers: [layers, slots, kv_heads, tokens, dim], grown by doubling.
struct Slab {
  at::Tensor keys, values;

  void reserve(const ModelShape& shape, std::int64_t slots, std::int64_t tokens, const at::TensorOptions& options) {
    const std::int64_t had_slots = keys.defined() ? keys.size(1) : 0, had_tokens = keys.defined() ? keys.size(3) : 0;
    if (slots <= had_slots && tokens <= had_tokens) return;
    const std::int64_t more_slots = slots <= had_slots ? had_slots : std::max(slots, 2 * had_slots);
    const std::int64_t more_tokens = grown_tokens(had_tokens, tokens);
    for (at::Tensor* old : {&keys, &values}) {
      at::Tensor grown = at::zeros({shape.layers, more_slots, shape.kv_heads, more_tokens, shape.head_dim}, options);
      if (had_slots > 0) grown.narrow(1, 0, had_slots).narrow(3, 0, had_tokens).copy_(*old);
      *old = grown;
    }
  }
  // [slots, kv_heads, tokens, dim]
  static at::Tensor part(const at::Tensor& slab, std::int64_t layer, std::int64_t slots, std::int64_t tokens) {
    return slab.select(0, layer).narrow(0, 0, slots).narrow(2, 0, tokens);
  }
};

class TensorKvCache;

class TensorStep final : public Attention {
 public:
  TensorStep(TensorKvCache& cache, std::span<const std::size_t> rows);
  at::Tensor attend(std::int64_t layer, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                    const AttentionOptions& options) override;

 private:
  [[nodiscard]] at::Tensor visible(const AttentionOptions& options) const;

  TensorKvCache& cache_;
  at::Tensor slots_;           // [rows] row slot of each token of the batch
  at::Tensor lengths_;         // [row slots] tokens before the new one in the row's own blocks
  at::Tensor prompts_;         // [row slots] prompt slot
  at::Tensor places_;          // [row slots] rank among the rows of its prompt
  at::Tensor prompt_lengths_;  // [row slots]
  std::int64_t most_rows_ = 1, longest_row_ = 0, longest_prompt_ = 0;
};

class TensorKvCache final : public KvCache {
 public:
  TensorKvCache(const ModelShape& shape, at::ScalarType dtype, at::Device device)
      : shape_(shape), options_(at::TensorOptions().dtype(dtype).device(device)) {}

  std::size_t add_prompt(std::int64_t length) override {
    const std::size_t slot = prompt_slots_.take();
    if (slot == prompts_.size()) prompts_.emplace_back();
    prompts_[slot] = {length, 0};
    prompt_slab_.reserve(shape_, static_cast<std::int64_t>(prompts_.size()), length, options_);
    return slot;
  }
  void store_prompt(std::size_t slot, std::int64_t layer, const at::Tensor& k, const at::Tensor& v) override {
    const auto at = static_cast<std::int64_t>(slot);
    const std::int64_t length = prompts_[slot].length;
    prompt_slab_.keys.select(0, layer).select(0, at).narrow(1, 0, length).copy_(k.transpose(0, 1));
    prompt_slab_.values.select(0, layer).select(0, at).narrow(1, 0, length).copy_(v.transpose(0, 1));
  }
  void drop_prompt(std::size_t slot) override {
    if (prompts_[slot].rows != 0) {
      throw Error(ErrorCode::run_failed, "a prompt was dropped from the key-value cache while responses still use it");
    }
    prompts_[slot].length = 0;
    prompt_slots_.give_back(slot);
  }
  std::size_t add_row(std::size_t prompt) override {
    const std::size_t slot = row_slots_.take();
    if (slot == rows_.size()) rows_.emplace_back();
    rows_[slot] = {prompt, 0};
    ++prompts_[prompt].rows;
    return slot;
  }
  void drop_row(std::size_t slot) override {
    --prompts_[rows_[slot].prompt].rows;
    row_slots_.give_back(slot);
  }
  [[nodiscard]] std::int64_t length(std::size_t slot) const override {
    return prompts_[rows_[slot].prompt].length + rows_[slot].length;
  }
  std::unique_ptr<Attention> begin_step(std::span<const std::size_t> rows) override {
    std::int64_t longest = 0;
    for (std::size_t slot : rows) longest = std::max(longest, rows_[slot].length + 1);
    row_slab_.reserve(shape_, static_cast<std::int64_t>(rows_.size()), longest, options_);
    return std::make_unique<TensorStep>(*this, rows);
  }
  void end_step(std::span<const std::size_t> rows) override {
    for (std::size_t slot : rows) ++rows_[slot].length;
  }
  [[nodiscard]] std::size_t bytes() const override {
    std::size_t total = 0;
    for (const Slab* slab : {&prompt_slab_, &row_slab_}) {
      if (slab->keys.defined()) total += 2 * slab->keys.nbytes();
    }
    return total;
  }

 private:
  friend class TensorStep;
  struct Prompt {
    std::int64_t length = 0;
    int rows = 0;
  };
  struct Row {
    std::size_t prompt = 0;
    std::int64_t length = 0;
  };
  ModelShape shape_;
  at::TensorOptions options_;
  std::vector<Prompt> prompts_;
  std::vector<Row> rows_;
  Slots prompt_slots_, row_slots_;
  Slab prompt_slab_, row_slab_;
};

TensorStep::TensorStep(TensorKvCache& cache, std::span<const std::size_t> rows) : cache_(cache) {
  const std::size_t count = cache.rows_.size();
  std::vector<std::int64_t> slots, lengths(count, 0), prompts(count, 0), places(count, 0), prompt_lengths(count, 0);
  std::vector<std::int64_t> taken(cache.prompts_.size(), 0);
  for (std::size_t slot : rows) {
    const auto& row = cache.rows_[slot];
    slots.push_back(static_cast<std::int64_t>(slot));
    lengths[slot] = row.length;
    prompts[slot] = static_cast<std::int64_t>(row.prompt);
    places[slot] = taken[row.prompt]++;
    prompt_lengths[slot] = cache.prompts_[row.prompt].length;
    most_rows_ = std::max(most_rows_, taken[row.prompt]);
    longest_row_ = std::max(longest_row_, row.length + 1);
    longest_prompt_ = std::max(longest_prompt_, prompt_lengths[slot]);
  }
  const auto options = cache.options_.dtype(at::kLong);
  slots_ = at::tensor(slots).to(options);
  lengths_ = at::tensor(lengths).to(options);
  prompts_ = at::tensor(prompts).to(options);
  places_ = at::tensor(places).to(options);
  prompt_lengths_ = at::tensor(prompt_lengths).to(options);
}

// [row slots, 1, 1, prompt tokens + row tokens] bool
at::Tensor TensorStep::visible(const AttentionOptions& options) const {
  const auto counter = lengths_.options();
  const at::Tensor p = at::arange(longest_prompt_, counter), s = at::arange(longest_row_, counter);
  at::Tensor prompt = p.unsqueeze(0).lt(prompt_lengths_.unsqueeze(1));
  at::Tensor own = s.unsqueeze(0).le(lengths_.unsqueeze(1));
  if (options.window) {
    const at::Tensor first = prompt_lengths_ + lengths_ + 1 - *options.window;
    prompt = prompt.logical_and(p.unsqueeze(0).ge(first.unsqueeze(1)));
    own = own.logical_and(s.unsqueeze(0).ge((first - prompt_lengths_).unsqueeze(1)));
  }
  return at::cat({prompt, own}, 1).unsqueeze(1).unsqueeze(1);
}

at::Tensor TensorStep::attend(std::int64_t layer, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                              const AttentionOptions& options) {
  const ModelShape& shape = cache_.shape_;
  const auto row_count = static_cast<std::int64_t>(cache_.rows_.size());
  const auto prompt_count = static_cast<std::int64_t>(cache_.prompts_.size());
  const std::int64_t groups = shape.kv_heads, repeats = shape.heads / groups, dim = shape.head_dim;
  const auto dtype = cache_.options_.dtype().toScalarType();

  const at::Tensor lengths = lengths_.index_select(0, slots_);
  for (auto [slab, x] : {std::pair{cache_.row_slab_.keys, k}, std::pair{cache_.row_slab_.values, v}}) {
    // [slots, kv_heads, tokens, dim] as [slots, tokens, kv_heads, dim], so that both indices stand together
    slab.select(0, layer).transpose(1, 2).index_put_({slots_, lengths}, x.to(dtype));
  }

  const double scale = options.scale.value_or(1 / std::sqrt(static_cast<double>(dim)));
  at::Tensor by_row = at::zeros({row_count, shape.heads, dim}, cache_.options_);
  by_row.index_copy_(0, slots_, q.to(dtype) * scale);
  at::Tensor by_prompt = at::zeros({prompt_count, most_rows_, shape.heads, dim}, cache_.options_);
  by_prompt.index_put_({prompts_.index_select(0, slots_), places_.index_select(0, slots_)},
                       by_row.index_select(0, slots_));

  const auto keys = [&](const Slab& slab, std::int64_t slots, std::int64_t tokens) {
    return Slab::part(slab.keys, layer, slots, tokens).transpose(2, 3);
  };
  // [prompts, rows, kv_heads, repeats, dim] -> [prompts, kv_heads, rows, repeats, dim]
  const auto grouped = [&](const at::Tensor& x, std::int64_t last) {
    return x.view({prompt_count, most_rows_, groups, repeats, last}).transpose(1, 2);
  };
  const at::Tensor on_prompt =
      at::matmul(grouped(by_prompt, dim).reshape({prompt_count, groups, most_rows_ * repeats, dim}),
                 keys(cache_.prompt_slab_, prompt_count, longest_prompt_))
          .view({prompt_count, groups, most_rows_, repeats, longest_prompt_})
          .transpose(1, 2)
          .index({prompts_, places_});  // [row slots, kv_heads, repeats, prompt tokens]
  const at::Tensor on_own =
      at::matmul(by_row.view({row_count, groups, repeats, dim}), keys(cache_.row_slab_, row_count, longest_row_));
  const at::Tensor scores = at::cat({on_prompt, on_own}, 3).to(at::kFloat);
  const at::Tensor hidden = visible(options).logical_not();
  const at::Tensor weights =
      at::softmax(scores.masked_fill(hidden, -std::numeric_limits<float>::infinity()), 3).to(dtype);

  at::Tensor prompt_weights = at::zeros({prompt_count, most_rows_, groups, repeats, longest_prompt_}, cache_.options_);
  prompt_weights.index_put_({prompts_.index_select(0, slots_), places_.index_select(0, slots_)},
                            weights.narrow(3, 0, longest_prompt_).index_select(0, slots_));
  const at::Tensor from_prompt =
      at::matmul(grouped(prompt_weights, longest_prompt_)
                     .reshape({prompt_count, groups, most_rows_ * repeats, longest_prompt_}),
                 Slab::part(cache_.prompt_slab_.values, layer, prompt_count, longest_prompt_))
          .view({prompt_count, groups, most_rows_, repeats, dim})
          .transpose(1, 2)
          .index({prompts_, places_});
  const at::Tensor from_own = at::matmul(weights.narrow(3, longest_prompt_, longest_row_).contiguous(),
                                         Slab::part(cache_.row_slab_.values, layer, row_count, longest_row_));
  return (from_prompt + from_own).view({row_count, shape.heads, dim}).index_select(0, slots_).to(q.scalar_type());
}

}  // namespace

std::unique_ptr<KvCache> make_tensor_kv_cache(const ModelShape& shape, at::ScalarType dtype, at::Device device) {
  return std::make_unique<TensorKvCache>(shape, dtype, device);
}

}  // namespace plumb
