// The key-value cache for devices other than the CPU. Prompts and rows lie in slabs indexed by slot, where no key is
// copied; a GPU's flash kernel reads them there, each row its own tokens in one call and the rows of a prompt the
// prompt's in a second, merged by log-sum-exp. For numbers that it does not read and for sliding windows, LibTorch's
// operators: every slot takes part in a step, and scores on the prompt and on the row's own tokens are laid side by
// side under one softmax.
#include <ATen/TensorIndexing.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/_flash_attention_forward.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "framework/engine/modeling/attention.h"
#include "framework/engine/modeling/index_upload.h"
#include "framework/engine/modeling/kv_cache.h"
#include "plumb/error.h"

namespace plumb {
namespace {

// Keys or values of all layers: [layers, slots, kv_heads, tokens, dim].
struct Slab {
  at::Tensor keys, values;

  [[nodiscard]] std::int64_t slots() const { return keys.defined() ? keys.size(1) : 0; }
  [[nodiscard]] std::int64_t tokens() const { return keys.defined() ? keys.size(3) : 0; }

  // Grows by copying where nobody reserved enough: then old and new are there at once.
  void reserve(const ModelShape& shape, std::int64_t wanted_slots, std::int64_t wanted_tokens,
               const at::TensorOptions& options) {
    if (wanted_slots <= slots() && wanted_tokens <= tokens()) return;
    const std::int64_t had_slots = slots(), had_tokens = tokens();
    const std::int64_t more_slots = wanted_slots <= had_slots ? had_slots : std::max(wanted_slots, 2 * had_slots);
    const std::int64_t more_tokens =
        wanted_tokens <= had_tokens ? had_tokens : std::max(wanted_tokens, had_tokens * 3 / 2);
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
  // One layer as [places, kv_heads, dim] for the flash kernel: token t of a slot is at start(slot) + t. The heads of a
  // place overlap those of later ones.
  static at::Tensor flat(const at::Tensor& slab, std::int64_t layer) {
    const at::Tensor x = slab.select(0, layer);
    const std::int64_t heads = x.size(1), tokens = x.size(2), dim = x.size(3);
    return x.as_strided({(x.size(0) * heads - heads + 1) * tokens, heads, dim}, {dim, tokens * dim, 1},
                        x.storage_offset());
  }
  [[nodiscard]] std::int64_t start(std::int64_t slot) const { return slot * keys.size(2) * keys.size(3); }
  // Whether every start is a number of the kernel's.
  [[nodiscard]] bool addressable() const { return start(slots()) <= std::numeric_limits<std::int32_t>::max(); }
};

class TensorKvCache;

// Rows of a step by their places in the slabs, as the flash kernel takes them (int32).
struct FlashLists {
  at::Tensor query_offsets, starts, used;              // of each row
  at::Tensor run_offsets, prompt_starts, prompt_used;  // of each run of rows of one prompt
  std::int64_t longest_run = 0;
};

// The same for operators (int64).
struct OperatorLists {
  at::Tensor slot_prompts, slot_places;  // [row slots] prompt slot, and rank among the rows of its prompt
  at::Tensor row_prompts, row_places;    // [rows] the same of the rows that take part
  at::Tensor prompt_lengths, lengths;    // [row slots] tokens of the prompt, and of the row before the new one
  std::int64_t most_rows = 1;
};

class TensorStep final : public Attention {
 public:
  TensorStep(TensorKvCache& cache, std::span<const std::size_t> rows);
  at::Tensor attend(std::int64_t layer, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                    const AttentionOptions& options) override;

 private:
  void send_flash();
  void send_operators();
  [[nodiscard]] at::Tensor hidden(const AttentionOptions& options) const;
  [[nodiscard]] at::Tensor by_flash(std::int64_t layer, const at::Tensor& q, double scale);
  [[nodiscard]] at::Tensor by_operators(std::int64_t layer, const at::Tensor& q, double scale,
                                        const AttentionOptions& options);

  TensorKvCache& cache_;
  std::vector<std::size_t> rows_;
  std::int64_t longest_row_ = 0, longest_prompt_ = 0, longest_ = 0;
  at::Tensor slots_, lengths_;  // [rows] slot, and tokens before the new one
  std::optional<FlashLists> flash_;
  std::optional<OperatorLists> operators_;
  std::optional<std::int64_t> window_;  // of hidden_
  at::Tensor hidden_;                   // [row slots, 1, 1, prompt tokens + row tokens] what is not seen
};

class TensorKvCache final : public KvCache {
 public:
  TensorKvCache(const ModelShape& shape, at::ScalarType dtype, at::Device device)
      : shape_(shape), options_(at::TensorOptions().dtype(dtype).device(device)) {}

  void reserve(const CacheRoom& room) override {
    prompt_slab_.reserve(shape_, room.prompts, room.prompt_tokens, options_);
    row_slab_.reserve(shape_, room.rows, room.row_tokens, options_);
  }
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

TensorStep::TensorStep(TensorKvCache& cache, std::span<const std::size_t> rows)
    : cache_(cache), rows_(rows.begin(), rows.end()) {
  for (std::size_t slot : rows_) {
    const auto& row = cache.rows_[slot];
    longest_row_ = std::max(longest_row_, row.length + 1);
    longest_prompt_ = std::max(longest_prompt_, cache.prompts_[row.prompt].length);
    longest_ = std::max(longest_, cache.length(slot) + 1);
  }
}

void TensorStep::send_flash() {
  std::vector<std::int64_t> slots, lengths, starts, used, runs{0}, prompt_starts, prompt_used;
  std::size_t last = cache_.prompts_.size();
  FlashLists& lists = flash_.emplace();
  for (std::size_t slot : rows_) {
    const auto& row = cache_.rows_[slot];
    slots.push_back(static_cast<std::int64_t>(slot));
    lengths.push_back(row.length);
    starts.push_back(cache_.row_slab_.start(slots.back()));
    used.push_back(row.length + 1);
    if (row.prompt != last) {
      prompt_starts.push_back(cache_.prompt_slab_.start(static_cast<std::int64_t>(row.prompt)));
      prompt_used.push_back(cache_.prompts_[row.prompt].length);
      runs.push_back(runs.back());
    }
    last = row.prompt;
    lists.longest_run = std::max(lists.longest_run, ++runs.back() - runs[runs.size() - 2]);
  }
  // The kernel reads one start more than there are sequences and, given what is used, makes nothing of it.
  starts.push_back(cache_.row_slab_.start(cache_.row_slab_.slots()));
  prompt_starts.push_back(cache_.prompt_slab_.start(cache_.prompt_slab_.slots()));
  std::vector<std::int64_t> narrow;
  std::vector<std::pair<at::Tensor*, std::pair<std::int64_t, std::int64_t>>> parts;
  for (const auto& [to, values] : {std::pair{&lists.starts, &starts},
                                   {&lists.used, &used},
                                   {&lists.run_offsets, &runs},
                                   {&lists.prompt_starts, &prompt_starts},
                                   {&lists.prompt_used, &prompt_used}}) {
    parts.push_back({to, {static_cast<std::int64_t>(narrow.size()), static_cast<std::int64_t>(values->size())}});
    narrow.insert(narrow.end(), values->begin(), values->end());
  }
  IndexUpload upload;
  const std::size_t slots_at = upload.add(slots), lengths_at = upload.add(lengths), narrow_at = upload.add(narrow);
  upload.send(cache_.options_.device());
  slots_ = upload[slots_at];
  lengths_ = upload[lengths_at];
  const at::Tensor sent = upload[narrow_at].to(at::kInt);
  for (const auto& [to, place] : parts) *to = sent.narrow(0, place.first, place.second);
  lists.query_offsets = at::arange(static_cast<std::int64_t>(rows_.size()) + 1, sent.options());
}

void TensorStep::send_operators() {
  const std::size_t count = cache_.rows_.size();
  std::vector<std::int64_t> slots, row_lengths, row_prompts, row_places;
  std::vector<std::int64_t> lengths(count, 0), prompts(count, 0), places(count, 0), prompt_lengths(count, 0);
  std::vector<std::int64_t> taken(cache_.prompts_.size(), 0);
  OperatorLists& lists = operators_.emplace();
  for (std::size_t slot : rows_) {
    const auto& row = cache_.rows_[slot];
    slots.push_back(static_cast<std::int64_t>(slot));
    row_lengths.push_back(lengths[slot] = row.length);
    row_prompts.push_back(prompts[slot] = static_cast<std::int64_t>(row.prompt));
    row_places.push_back(places[slot] = taken[row.prompt]++);
    prompt_lengths[slot] = cache_.prompts_[row.prompt].length;
    lists.most_rows = std::max(lists.most_rows, taken[row.prompt]);
  }
  IndexUpload upload;
  std::vector<std::pair<at::Tensor*, std::size_t>> sent;
  for (const auto& [to, values] : {std::pair{&slots_, &slots},
                                   {&lengths_, &row_lengths},
                                   {&lists.row_prompts, &row_prompts},
                                   {&lists.row_places, &row_places},
                                   {&lists.slot_prompts, &prompts},
                                   {&lists.slot_places, &places},
                                   {&lists.lengths, &lengths},
                                   {&lists.prompt_lengths, &prompt_lengths}}) {
    sent.emplace_back(to, upload.add(*values));
  }
  upload.send(cache_.options_.device());
  for (const auto& [to, list] : sent) *to = upload[list];
}

at::Tensor TensorStep::hidden(const AttentionOptions& options) const {
  const at::Tensor &lengths = operators_->lengths, &prompt_lengths = operators_->prompt_lengths;
  const auto counter = lengths.options();
  const at::Tensor p = at::arange(longest_prompt_, counter), s = at::arange(longest_row_, counter);
  at::Tensor prompt = p.unsqueeze(0).lt(prompt_lengths.unsqueeze(1));
  at::Tensor own = s.unsqueeze(0).le(lengths.unsqueeze(1));
  if (options.window) {
    const at::Tensor first = prompt_lengths + lengths + 1 - *options.window;
    prompt = prompt.logical_and(p.unsqueeze(0).ge(first.unsqueeze(1)));
    own = own.logical_and(s.unsqueeze(0).ge((first - prompt_lengths).unsqueeze(1)));
  }
  return at::cat({prompt, own}, 1).logical_not().unsqueeze(1).unsqueeze(1);
}

at::Tensor TensorStep::attend(std::int64_t layer, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                              const AttentionOptions& options) {
  const double scale = options.scale.value_or(1 / std::sqrt(static_cast<double>(cache_.shape_.head_dim)));
  const auto dtype = cache_.options_.dtype().toScalarType();
  const bool windowed = options.window && longest_ > *options.window;
  const bool flash = !windowed && q.scalar_type() == dtype && takes_varlen_attention(q) &&
                     cache_.row_slab_.addressable() && cache_.prompt_slab_.addressable();
  if (flash && !flash_) send_flash();
  if (!flash && !operators_) send_operators();
  for (auto [slab, x] : {std::pair{cache_.row_slab_.keys, k}, std::pair{cache_.row_slab_.values, v}}) {
    // [slots, kv_heads, tokens, dim] as [slots, tokens, kv_heads, dim], so that both indices stand together
    slab.select(0, layer).transpose(1, 2).index_put_({slots_, lengths_}, x.to(dtype));
  }
  return flash ? by_flash(layer, q, scale) : by_operators(layer, q, scale, options);
}

at::Tensor TensorStep::by_flash(std::int64_t layer, const at::Tensor& q, double scale) {
  const FlashLists& lists = *flash_;
  const auto run = [&](const Slab& slab, const at::Tensor& offsets, std::int64_t queries, const at::Tensor& starts,
                       const at::Tensor& used, std::int64_t keys) {
    return at::_flash_attention_forward(q, Slab::flat(slab.keys, layer), Slab::flat(slab.values, layer), offsets,
                                        starts, queries, keys, 0.0, /*is_causal=*/false, /*return_debug_mask=*/false,
                                        scale, {}, {}, used);
  };
  const auto own = run(cache_.row_slab_, lists.query_offsets, 1, lists.starts, lists.used, longest_row_);
  const auto prompt = run(cache_.prompt_slab_, lists.run_offsets, lists.longest_run, lists.prompt_starts,
                          lists.prompt_used, longest_prompt_);
  const at::Tensor &out = std::get<0>(own), &lse = std::get<1>(own);
  const at::Tensor share = (std::get<1>(prompt) - lse).sigmoid_().t().unsqueeze(2);  // e^p / (e^p + e^o)
  return std::get<0>(prompt).to(at::kFloat).sub_(out).mul_(share).add_(out).to(q.scalar_type());
}

at::Tensor TensorStep::by_operators(std::int64_t layer, const at::Tensor& q, double scale,
                                    const AttentionOptions& options) {
  const ModelShape& shape = cache_.shape_;
  const OperatorLists& lists = *operators_;
  const auto row_count = static_cast<std::int64_t>(cache_.rows_.size());
  const auto prompt_count = static_cast<std::int64_t>(cache_.prompts_.size());
  const std::int64_t groups = shape.kv_heads, repeats = shape.heads / groups, dim = shape.head_dim;
  const std::int64_t most_rows = lists.most_rows;
  const auto dtype = cache_.options_.dtype().toScalarType();
  if (!hidden_.defined() || window_ != options.window) {
    hidden_ = hidden(options);
    window_ = options.window;
  }

  const at::Tensor scaled = q.to(dtype) * scale;
  at::Tensor by_row = at::zeros({row_count, shape.heads, dim}, cache_.options_);
  by_row.index_copy_(0, slots_, scaled);
  at::Tensor by_prompt = at::zeros({prompt_count, most_rows, shape.heads, dim}, cache_.options_);
  by_prompt.index_put_({lists.row_prompts, lists.row_places}, scaled);

  const auto keys = [&](const Slab& slab, std::int64_t slots, std::int64_t tokens) {
    return Slab::part(slab.keys, layer, slots, tokens).transpose(2, 3);
  };
  // [prompts, rows, kv_heads, repeats, dim] -> [prompts, kv_heads, rows, repeats, dim]
  const auto grouped = [&](const at::Tensor& x, std::int64_t last) {
    return x.view({prompt_count, most_rows, groups, repeats, last}).transpose(1, 2);
  };
  const at::Tensor on_prompt =
      at::matmul(grouped(by_prompt, dim).reshape({prompt_count, groups, most_rows * repeats, dim}),
                 keys(cache_.prompt_slab_, prompt_count, longest_prompt_))
          .view({prompt_count, groups, most_rows, repeats, longest_prompt_})
          .transpose(1, 2)
          .index({lists.slot_prompts, lists.slot_places});  // [row slots, kv_heads, repeats, prompt tokens]
  const at::Tensor on_own =
      at::matmul(by_row.view({row_count, groups, repeats, dim}), keys(cache_.row_slab_, row_count, longest_row_));
  const at::Tensor scores = at::cat({on_prompt, on_own}, 3).to(at::kFloat);
  const at::Tensor weights =
      at::softmax(scores.masked_fill(hidden_, -std::numeric_limits<float>::infinity()), 3).to(dtype);

  at::Tensor prompt_weights = at::zeros({prompt_count, most_rows, groups, repeats, longest_prompt_}, cache_.options_);
  prompt_weights.index_put_({lists.row_prompts, lists.row_places},
                            weights.narrow(3, 0, longest_prompt_).index_select(0, slots_));
  const at::Tensor from_prompt =
      at::matmul(grouped(prompt_weights, longest_prompt_)
                     .reshape({prompt_count, groups, most_rows * repeats, longest_prompt_}),
                 Slab::part(cache_.prompt_slab_.values, layer, prompt_count, longest_prompt_))
          .view({prompt_count, groups, most_rows, repeats, dim})
          .transpose(1, 2)
          .index({lists.slot_prompts, lists.slot_places});
  const at::Tensor from_own = at::matmul(weights.narrow(3, longest_prompt_, longest_row_).contiguous(),
                                         Slab::part(cache_.row_slab_.values, layer, row_count, longest_row_));
  return (from_prompt + from_own).view({row_count, shape.heads, dim}).index_select(0, slots_).to(q.scalar_type());
}

}  // namespace

std::unique_ptr<KvCache> make_tensor_kv_cache(const ModelShape& shape, at::ScalarType dtype, at::Device device) {
  return std::make_unique<TensorKvCache>(shape, dtype, device);
}

}  // namespace plumb
