#include "framework/engine/modeling/decode_attention.h"

#include <algorithm>
#include <limits>

namespace plumb {
namespace {

using lanes::Floats;
constexpr std::int64_t W = lanes::width;

// Scores of one query lie as [prompt_stride | whole blocks of the response]; those of no token hold minus infinity.
template <class T>
std::int64_t blocks_of(const AttentionQuery<T>& query) {
  return (query.suffix_length + kv_block - 1) / kv_block;
}

// scores[i][j] = q_i · k_j for all prompt tokens; a vector of keys is loaded once for the N queries.
template <int N, class T>
PLUMB_INLINE inline void score_prompt(const AttentionTile<T>& tile, float* scores, std::int64_t stride) {
  for (std::int64_t j = 0; j < tile.prompt_length; j += W) {
    Floats sums[N] = {};
    for (std::int64_t d = 0; d < tile.dim; ++d) {
      const Floats keys = lanes::load(tile.prompt_keys + d * tile.prompt_stride + j);
      for (int i = 0; i < N; ++i) sums[i] += tile.queries[static_cast<std::size_t>(i)].q[d] * keys;
    }
    for (int i = 0; i < N; ++i) lanes::store(scores + i * stride + j, sums[i]);
  }
}

template <class T>
PLUMB_INLINE inline void score_suffix(const AttentionTile<T>& tile, const AttentionQuery<T>& query, float* scores) {
  for (std::int64_t b = 0; b < blocks_of(query); ++b) {
    const T* keys = query.blocks[b] + tile.key_offset;
    Floats even{}, odd{};  // two chains hide the latency of the multiply-adds
    std::int64_t d = 0;
    for (; d + 1 < tile.dim; d += 2) {
      even += query.q[d] * lanes::load(keys + d * kv_block);
      odd += query.q[d + 1] * lanes::load(keys + (d + 1) * kv_block);
    }
    if (d < tile.dim) even += query.q[d] * lanes::load(keys + d * kv_block);
    lanes::store(scores + b * kv_block, even + odd);
  }
}

template <class T>
PLUMB_INLINE inline void hide(const AttentionTile<T>& tile, const AttentionQuery<T>& query, float* scores,
                              std::int64_t size) {
  constexpr float never = -std::numeric_limits<float>::infinity();
  const std::int64_t prompt = tile.prompt_stride, first = query.first_visible;
  std::fill(scores + tile.prompt_length, scores + prompt, never);
  std::fill(scores + prompt + query.suffix_length, scores + size, never);
  if (first > 0) {
    std::fill(scores, scores + std::min(first, tile.prompt_length), never);
    std::fill(scores + prompt, scores + prompt + std::max<std::int64_t>(first - tile.prompt_length, 0), never);
  }
}

// Turns scores into e^(scale (score - greatest)); returns the sum.
PLUMB_INLINE inline float soften(float* scores, std::int64_t size, float scale) {
  Floats most = lanes::load(scores);
  for (std::int64_t j = W; j < size; j += W) most = lanes::max(lanes::load(scores + j), most);
  const float greatest = lanes::max(most);
  Floats sum{};
  for (std::int64_t j = 0; j < size; j += W) {
    const Floats weight = lanes::exp((lanes::load(scores + j) - greatest) * scale);
    lanes::store(scores + j, weight);
    sum += weight;
  }
  return lanes::sum(sum);
}

template <int N, class T>
PLUMB_INLINE inline void mix_prompt(const AttentionTile<T>& tile, const float* weights, std::int64_t stride,
                                    std::int64_t column, Floats* sums) {
  for (std::int64_t j = 0; j < tile.prompt_length; ++j) {
    const Floats values = lanes::load(tile.prompt_values + j * tile.value_stride + column);
    for (int i = 0; i < N; ++i) sums[i] += weights[i * stride + j] * values;
  }
}

template <class T>
PLUMB_INLINE inline Floats mix_suffix(const AttentionTile<T>& tile, const AttentionQuery<T>& query,
                                      const float* weights, std::int64_t column) {
  Floats even{}, odd{};
  for (std::int64_t begin = 0; begin < query.suffix_length; begin += kv_block) {
    const T* values = query.blocks[begin / kv_block] + tile.value_offset + column;
    const std::int64_t count = std::min(kv_block, query.suffix_length - begin);
    std::int64_t j = 0;
    for (; j + 1 < count; j += 2) {
      even += weights[begin + j] * lanes::load(values + j * tile.value_stride);
      odd += weights[begin + j + 1] * lanes::load(values + (j + 1) * tile.value_stride);
    }
    if (j < count) even += weights[begin + j] * lanes::load(values + j * tile.value_stride);
  }
  return even + odd;
}

template <int N, class T>
PLUMB_INLINE inline void attend(const AttentionTile<T>& tile, float* scores, std::int64_t stride) {
  float inverse[N];
  score_prompt<N>(tile, scores, stride);
  for (int i = 0; i < N; ++i) {
    const AttentionQuery<T>& query = tile.queries[static_cast<std::size_t>(i)];
    float* own = scores + i * stride;
    const std::int64_t size = tile.prompt_stride + blocks_of(query) * kv_block;
    score_suffix(tile, query, own + tile.prompt_stride);
    hide(tile, query, own, size);
    inverse[i] = 1 / soften(own, size, tile.scale);
  }
  for (std::int64_t column = 0; column < tile.dim; column += W) {
    Floats sums[N] = {};
    mix_prompt<N>(tile, scores, stride, column, sums);
    const std::int64_t columns = std::min(W, tile.dim - column);
    for (int i = 0; i < N; ++i) {
      const AttentionQuery<T>& query = tile.queries[static_cast<std::size_t>(i)];
      sums[i] += mix_suffix(tile, query, scores + i * stride + tile.prompt_stride, column);
      sums[i] *= inverse[i];
      if (columns == W) {
        lanes::store(query.out + column, sums[i]);
      } else {
        for (std::int64_t c = 0; c < columns; ++c) query.out[column + c] = sums[i][c];
      }
    }
  }
}

}  // namespace

template <class T>
void attend_tile(const AttentionTile<T>& tile, std::vector<float>& scratch, lanes::Machine machine) {
  std::int64_t stride = 0;
  for (int i = 0; i < tile.count; ++i) {
    stride = std::max(stride, tile.prompt_stride + blocks_of(tile.queries[static_cast<std::size_t>(i)]) * kv_block);
  }
  if (scratch.size() < static_cast<std::size_t>(4 * stride)) scratch.resize(static_cast<std::size_t>(4 * stride));
  float* scores = scratch.data();
  lanes::on(machine, [&]() PLUMB_INLINE {
    if (tile.count == 4) {
      attend<4>(tile, scores, stride);
    } else if (tile.count == 3) {
      attend<3>(tile, scores, stride);
    } else if (tile.count == 2) {
      attend<2>(tile, scores, stride);
    } else if (tile.count == 1) {
      attend<1>(tile, scores, stride);
    }
  });
}

template void attend_tile(const AttentionTile<float>&, std::vector<float>&, lanes::Machine);
template void attend_tile(const AttentionTile<std::uint16_t>&, std::vector<float>&, lanes::Machine);

}  // namespace plumb
