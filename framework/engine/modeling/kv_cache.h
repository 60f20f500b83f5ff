// Keys and values of prompts and of the responses that continue them. A prompt's are stored once for all its rows; a
// row's own lie in blocks that are handed out as it grows and reused when it ends.
//
//   auto cache = make_kv_cache({.layers = 4, …}, at::kFloat, at::kCPU);
//   std::size_t prompt = cache->add_prompt(length);
//   cache->store_prompt(prompt, layer, k, v);               // for every layer
//   std::size_t row = cache->add_row(prompt);
//   auto step = cache->begin_step(rows);                    // one new token for each of these rows
//   model.hidden({ids, cache->positions(rows), *step});     // stores the tokens' keys and values, attends
//   cache->end_step(rows);
//
// On the CPU attention is one fused kernel (decode_attention.h), and blocks are taken as rows grow. On other devices it
// is LibTorch's flash kernel or operators, over one block of memory: reserve() says how much is going to be needed, and
// what was not reserved grows by copying.
// Thread contract: [lane].
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "plumb/tensor/attention.h"
#include "plumb/tensor/model.h"

namespace plumb {

// Prompts and rows that are there at once, and the most tokens of one: a row's own, without its prompt's.
struct CacheRoom {
  std::int64_t prompts = 0, prompt_tokens = 0, rows = 0, row_tokens = 0;
};

class KvCache {
 public:
  virtual ~KvCache() = default;
  KvCache() = default;
  KvCache(const KvCache&) = delete;
  KvCache& operator=(const KvCache&) = delete;

  virtual void reserve(const CacheRoom& room) { static_cast<void>(room); }
  virtual std::size_t add_prompt(std::int64_t length) = 0;
  // k and v [length, kv_heads, dim]
  virtual void store_prompt(std::size_t prompt, std::int64_t layer, const at::Tensor& k, const at::Tensor& v) = 0;
  virtual void drop_prompt(std::size_t prompt) = 0;  // Error(run_failed) while rows use it
  virtual std::size_t add_row(std::size_t prompt) = 0;
  virtual void drop_row(std::size_t row) = 0;
  [[nodiscard]] virtual std::int64_t length(std::size_t row) const = 0;  // tokens stored, the prompt's included

  // Makes room for one token of each row. The result attends for exactly these rows, in this order, every layer once.
  [[nodiscard]] virtual std::unique_ptr<Attention> begin_step(std::span<const std::size_t> rows) = 0;
  virtual void end_step(std::span<const std::size_t> rows) = 0;
  [[nodiscard]] virtual std::size_t bytes() const = 0;  // held now
};

// `dtype` of the stored keys and values: at::kFloat or at::kBFloat16.
std::unique_ptr<KvCache> make_kv_cache(const ModelShape& shape, at::ScalarType dtype, at::Device device);

// The two kinds; make_kv_cache picks. Both work on the CPU, so that one can be tested against the other.
std::unique_ptr<KvCache> make_cpu_kv_cache(const ModelShape& shape, at::ScalarType dtype);
std::unique_ptr<KvCache> make_tensor_kv_cache(const ModelShape& shape, at::ScalarType dtype, at::Device device);

// Slot numbers handed out and taken back.
class Slots {
 public:
  std::size_t take() {
    if (free_.empty()) return size_++;
    const std::size_t slot = free_.back();
    free_.pop_back();
    return slot;
  }
  void give_back(std::size_t slot) { free_.push_back(slot); }
  [[nodiscard]] std::size_t size() const { return size_; }  // slots ever in use at once

 private:
  std::vector<std::size_t> free_;
  std::size_t size_ = 0;
};

}  // namespace plumb
