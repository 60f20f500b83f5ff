// Attention of new tokens to cached keys and values on the CPU: one fused pass per tile of queries, softmax included.
//
// A tile is up to four queries that share a prompt: the responses of one prompt, and the heads of one key-value group.
// The prompt's keys are read once for all of them; each query then reads its own response's keys.
//
//   AttentionTile<float> tile{…};
//   attend_tile(tile);                 // writes tile.queries[i].out
//
// Keys lie transposed, so that sixteen scores come from one multiply-add per dimension, without sums across a vector.
// T is float or std::uint16_t (the bits of a bfloat16). Sums are fp32 in either case.
// Thread contract: [any]; tiles that write different outputs may run in parallel.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "framework/engine/modeling/lanes.h"

namespace plumb {

// A response's keys and values lie in blocks of this many tokens.
inline constexpr std::int64_t kv_block = lanes::width;

template <class T>
struct AttentionQuery {
  const float* q = nullptr;          // [dim]
  float* out = nullptr;              // [dim]
  const T* const* blocks = nullptr;  // of the response, each with room for every layer and head
  std::int64_t suffix_length = 0;    // tokens of the response, the new one included
  std::int64_t first_visible = 0;    // position of the first token seen: > 0 under a sliding window
};

template <class T>
struct AttentionTile {
  std::int64_t dim = 0;              // of a head
  std::int64_t value_stride = 0;     // dim rounded up to whole lanes
  const T* prompt_keys = nullptr;    // [dim, prompt_stride]
  const T* prompt_values = nullptr;  // [prompt_length, value_stride]
  std::int64_t prompt_length = 0;
  std::int64_t prompt_stride = 0;  // prompt_length rounded up to whole lanes
  std::int64_t key_offset = 0;     // of this layer and head in a block: keys [dim, kv_block]
  std::int64_t value_offset = 0;   // likewise: values [kv_block, value_stride]
  float scale = 1;
  int count = 0;  // queries in use
  std::array<AttentionQuery<T>, 4> queries;
};

// `scratch` grows as needed and is reused. `machine` is for tests: which instructions to use.
template <class T>
void attend_tile(const AttentionTile<T>& tile, std::vector<float>& scratch, lanes::Machine machine = lanes::machine());

extern template void attend_tile(const AttentionTile<float>&, std::vector<float>&, lanes::Machine);
extern template void attend_tile(const AttentionTile<std::uint16_t>&, std::vector<float>&, lanes::Machine);

}  // namespace plumb
