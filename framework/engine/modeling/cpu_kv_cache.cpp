#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <type_traits>
#include <vector>

#include "framework/engine/modeling/cores.h"
#include "framework/engine/modeling/decode_attention.h"
#include "framework/engine/modeling/kv_cache.h"
#include "plumb/error.h"

namespace plumb {
namespace {

std::int64_t whole_lanes(std::int64_t n) {
  return (n + lanes::width - 1) / lanes::width * lanes::width;
}

template <class T>
class CpuKvCache;

// T is float or std::uint16_t, the bits of a bfloat16.
template <class T>
class CpuStep final : public Attention {
 public:
  CpuStep(CpuKvCache<T>& cache, std::span<const std::size_t> rows);
  at::Tensor attend(std::int64_t layer, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                    const AttentionOptions& options) override;

 private:
  // Up to four queries of one prompt and key-value head: places in the batch, and heads.
  struct Tile {
    std::size_t prompt;
    std::int64_t kv_head;
    int count = 0;
    std::array<std::pair<std::int64_t, std::int64_t>, 4> queries;
  };
  void plan();
  AttentionTile<T> fill(const Tile& tile, std::int64_t layer, const float* q, float* out,
                        const AttentionOptions& options) const;

  CpuKvCache<T>& cache_;
  std::vector<std::size_t> rows_;
  std::vector<Tile> tiles_;
};

template <class T>
class CpuKvCache final : public KvCache {
 public:
  explicit CpuKvCache(const ModelShape& shape)
      : shape_(shape),
        stride_(whole_lanes(shape.head_dim)),
        key_size_(shape.head_dim * kv_block),
        block_head_(key_size_ + kv_block * stride_) {}

  std::size_t add_prompt(std::int64_t length) override {
    const std::size_t slot = prompt_slots_.take();
    if (slot == prompts_.size()) prompts_.emplace_back();
    Prompt& prompt = prompts_[slot];
    prompt.length = length;
    prompt.stride = whole_lanes(length);
    prompt.head_size = shape_.head_dim * prompt.stride + length * stride_;
    prompt.memory = memory(shape_.layers * shape_.kv_heads * prompt.head_size);
    prompt.rows = 0;
    return slot;
  }

  void store_prompt(std::size_t slot, std::int64_t layer, const at::Tensor& k, const at::Tensor& v) override {
    const at::Tensor keys = k.to(dtype).contiguous(), values = v.to(dtype).contiguous();
    const auto* key = static_cast<const T*>(keys.const_data_ptr());
    const auto* value = static_cast<const T*>(values.const_data_ptr());
    const Prompt& prompt = prompts_[slot];
    for (std::int64_t t = 0; t < prompt.length; ++t) {
      for (std::int64_t h = 0; h < shape_.kv_heads; ++h, key += shape_.head_dim, value += shape_.head_dim) {
        T* head = prompt.head(layer * shape_.kv_heads + h);
        for (std::int64_t d = 0; d < shape_.head_dim; ++d) head[d * prompt.stride + t] = key[d];
        std::copy(value, value + shape_.head_dim, head + shape_.head_dim * prompt.stride + t * stride_);
      }
    }
  }

  void drop_prompt(std::size_t slot) override {
    if (prompts_[slot].rows != 0) {
      throw Error(ErrorCode::run_failed, "a prompt was dropped from the key-value cache while responses still use it");
    }
    prompts_[slot].memory.reset();
    prompt_slots_.give_back(slot);
  }

  std::size_t add_row(std::size_t prompt) override {
    const std::size_t slot = row_slots_.take();
    if (slot == rows_.size()) rows_.emplace_back();
    rows_[slot] = {prompt, 0, {}};
    ++prompts_[prompt].rows;
    return slot;
  }

  void drop_row(std::size_t slot) override {
    Row& row = rows_[slot];
    --prompts_[row.prompt].rows;
    free_blocks_.insert(free_blocks_.end(), row.blocks.begin(), row.blocks.end());
    row.blocks.clear();
    row_slots_.give_back(slot);
  }

  [[nodiscard]] std::int64_t length(std::size_t slot) const override {
    return prompts_[rows_[slot].prompt].length + rows_[slot].length;
  }

  std::unique_ptr<Attention> begin_step(std::span<const std::size_t> rows) override {
    for (std::size_t slot : rows) {
      Row& row = rows_[slot];
      if (row.length == static_cast<std::int64_t>(row.blocks.size()) * kv_block) row.blocks.push_back(take_block());
    }
    return std::make_unique<CpuStep<T>>(*this, rows);
  }

  void end_step(std::span<const std::size_t> rows) override {
    for (std::size_t slot : rows) ++rows_[slot].length;
  }

  [[nodiscard]] std::size_t bytes() const override {
    std::size_t total = 0;
    for (const at::Tensor& block : blocks_) total += block.nbytes();
    for (const Prompt& prompt : prompts_) total += prompt.memory.defined() ? prompt.memory.nbytes() : 0;
    return total;
  }

 private:
  friend class CpuStep<T>;
  static constexpr at::ScalarType dtype = std::is_same_v<T, float> ? at::kFloat : at::kBFloat16;

  struct Prompt {
    std::int64_t length = 0, stride = 0, head_size = 0;
    at::Tensor memory;  // [layers, kv_heads]{keys [dim, stride], values [length, value stride]}
    int rows = 0;
    [[nodiscard]] T* head(std::int64_t index) const { return static_cast<T*>(memory.data_ptr()) + index * head_size; }
  };
  struct Row {
    std::size_t prompt = 0;
    std::int64_t length = 0;
    std::vector<T*> blocks;  // each [layers, kv_heads]{keys [dim, kv_block], values [kv_block, value stride]}
  };

  // Zeros, so that the places beyond the last token and dimension hold numbers.
  static at::Tensor memory(std::int64_t size) { return at::zeros({size}, at::TensorOptions().dtype(dtype)); }

  T* take_block() {
    if (free_blocks_.empty()) {
      blocks_.push_back(memory(shape_.layers * shape_.kv_heads * block_head_));
      return static_cast<T*>(blocks_.back().data_ptr());
    }
    T* block = free_blocks_.back();
    free_blocks_.pop_back();
    return block;
  }

  void append(const Row& row, std::int64_t layer, const T* key, const T* value) const {
    const std::int64_t place = row.length % kv_block;
    T* head = row.blocks.back() + layer * shape_.kv_heads * block_head_;
    for (std::int64_t h = 0; h < shape_.kv_heads; ++h, head += block_head_) {
      for (std::int64_t d = 0; d < shape_.head_dim; ++d) head[d * kv_block + place] = *key++;
      std::copy(value, value + shape_.head_dim, head + key_size_ + place * stride_);
      value += shape_.head_dim;
    }
  }

  ModelShape shape_;
  std::int64_t stride_, key_size_, block_head_;
  std::vector<Prompt> prompts_;
  std::vector<Row> rows_;
  Slots prompt_slots_, row_slots_;
  std::vector<at::Tensor> blocks_;
  std::vector<T*> free_blocks_;
};

template <class T>
CpuStep<T>::CpuStep(CpuKvCache<T>& cache, std::span<const std::size_t> rows)
    : cache_(cache), rows_(rows.begin(), rows.end()) {
  plan();
}

template <class T>
void CpuStep<T>::plan() {
  std::vector<std::int64_t> order(rows_.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
  const auto prompt_of = [&](std::int64_t place) {
    return cache_.rows_[rows_[static_cast<std::size_t>(place)]].prompt;
  };
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return prompt_of(a) < prompt_of(b); });
  const ModelShape& shape = cache_.shape_;
  const std::int64_t repeats = shape.heads / shape.kv_heads;
  for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    const std::size_t prompt = prompt_of(order[begin]);
    while (end < order.size() && prompt_of(order[end]) == prompt) ++end;
    for (std::int64_t kv_head = 0; kv_head < shape.kv_heads; ++kv_head) {
      Tile tile{prompt, kv_head, 0, {}};
      for (std::size_t i = begin; i < end; ++i) {
        for (std::int64_t head = kv_head * repeats; head < (kv_head + 1) * repeats; ++head) {
          tile.queries[static_cast<std::size_t>(tile.count++)] = {order[i], head};
          if (tile.count < 4) continue;
          tiles_.push_back(tile);
          tile.count = 0;
        }
      }
      if (tile.count > 0) tiles_.push_back(tile);
    }
  }
}

template <class T>
AttentionTile<T> CpuStep<T>::fill(const Tile& tile, std::int64_t layer, const float* q, float* out,
                                  const AttentionOptions& options) const {
  const ModelShape& shape = cache_.shape_;
  const auto& prompt = cache_.prompts_[tile.prompt];
  const T* keys = prompt.head(layer * shape.kv_heads + tile.kv_head);
  const std::int64_t offset = (layer * shape.kv_heads + tile.kv_head) * cache_.block_head_;
  AttentionTile<T> full{.dim = shape.head_dim,
                        .value_stride = cache_.stride_,
                        .prompt_keys = keys,
                        .prompt_values = keys + shape.head_dim * prompt.stride,
                        .prompt_length = prompt.length,
                        .prompt_stride = prompt.stride,
                        .key_offset = offset,
                        .value_offset = offset + cache_.key_size_,
                        .scale = static_cast<float>(options.scale.value_or(1 / std::sqrt(shape.head_dim))),
                        .count = tile.count,
                        .queries = {}};
  for (std::size_t i = 0; i < static_cast<std::size_t>(tile.count); ++i) {
    const auto& [place, head] = tile.queries[i];
    const auto& row = cache_.rows_[rows_[static_cast<std::size_t>(place)]];
    const std::int64_t at = (place * shape.heads + head) * shape.head_dim;
    const std::int64_t seen = options.window.value_or(prompt.length + row.length + 1);
    full.queries[i] = {q + at, out + at, row.blocks.data(), row.length + 1,
                       std::max<std::int64_t>(0, prompt.length + row.length + 1 - seen)};
  }
  return full;
}

template <class T>
at::Tensor CpuStep<T>::attend(std::int64_t layer, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                              const AttentionOptions& options) {
  const at::Tensor queries = q.to(at::kFloat).contiguous();
  const at::Tensor keys = k.to(CpuKvCache<T>::dtype).contiguous(), values = v.to(CpuKvCache<T>::dtype).contiguous();
  at::Tensor out = at::empty(q.sizes(), q.options().dtype(at::kFloat));
  const auto count = static_cast<std::int64_t>(rows_.size());
  const std::int64_t width = cache_.shape_.kv_heads * cache_.shape_.head_dim;
  const auto* key = static_cast<const T*>(keys.const_data_ptr());
  const auto* value = static_cast<const T*>(values.const_data_ptr());
  over_cores(count, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      cache_.append(cache_.rows_[rows_[static_cast<std::size_t>(i)]], layer, key + i * width, value + i * width);
    }
  });
  const auto* from = static_cast<const float*>(queries.const_data_ptr());
  auto* to = static_cast<float*>(out.data_ptr());
  over_cores(static_cast<std::int64_t>(tiles_.size()), 4, [&](std::int64_t begin, std::int64_t end) {
    thread_local std::vector<float> scratch;
    for (std::int64_t i = begin; i < end; ++i) {
      attend_tile(fill(tiles_[static_cast<std::size_t>(i)], layer, from, to, options), scratch);
    }
  });
  return out.to(q.scalar_type());
}

}  // namespace

std::unique_ptr<KvCache> make_cpu_kv_cache(const ModelShape& shape, at::ScalarType dtype) {
  if (dtype == at::kBFloat16) return std::make_unique<CpuKvCache<std::uint16_t>>(shape);
  return std::make_unique<CpuKvCache<float>>(shape);
}

std::unique_ptr<KvCache> make_kv_cache(const ModelShape& shape, at::ScalarType dtype, at::Device device) {
  return device.is_cpu() ? make_cpu_kv_cache(shape, dtype) : make_tensor_kv_cache(shape, dtype, device);
}

}  // namespace plumb
