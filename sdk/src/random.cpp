#include "plumb/random.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "philox.h"

namespace plumb {
inline namespace v1 {
namespace {

// What a block is for; it is part of the counter, so draws, numbers and texts never meet.
enum class Purpose : std::uint32_t { draw, number, text };

std::uint64_t block(std::uint64_t key, std::uint64_t counter, Purpose purpose, std::uint32_t extra = 0) {
  const auto words = detail::philox4x32({static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32),
                                         static_cast<std::uint32_t>(purpose), extra},
                                        {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)});
  return std::uint64_t{words[1]} << 32 | words[0];
}

}  // namespace

// The text is absorbed eight bytes at a time, each block's output keying the next. Every block carries the number of
// bytes left, so "a" and "a\0" differ.
Random Random::derive(std::string_view name) const {
  std::uint64_t key = key_;
  do {
    const std::size_t size = std::min<std::size_t>(name.size(), 8);
    std::uint64_t chunk = 0;
    for (std::size_t i = 0; i < size; ++i) chunk |= std::uint64_t{static_cast<unsigned char>(name[i])} << (8 * i);
    key = block(key, chunk, Purpose::text, static_cast<std::uint32_t>(name.size()));
    name.remove_prefix(size);
  } while (!name.empty());
  return Random(key);
}

Random Random::derive(std::uint64_t number) const {
  return Random(block(key_, number, Purpose::number));
}

std::uint64_t Random::bits_at(std::uint64_t counter) const {
  return block(key_, counter, Purpose::draw);
}

double Random::uniform_at(std::uint64_t counter) const {
  return static_cast<double>(bits_at(counter) >> 11) * 0x1p-53;
}

double Random::normal() {
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));  // 1 - u lies in (0, 1]
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

// D. Lemire: Fast random integer generation in an interval (2019): the high half of a product, redrawn in the few cases
// that would favour some results.
std::uint64_t Random::below(std::uint64_t bound) {
  __extension__ using Wide = unsigned __int128;
  Wide product = Wide{bits()} * bound;
  if (static_cast<std::uint64_t>(product) < bound) {
    const std::uint64_t unfair = -bound % bound;
    while (static_cast<std::uint64_t>(product) < unfair) product = Wide{bits()} * bound;
  }
  return static_cast<std::uint64_t>(product >> 64);
}

}  // namespace v1
}  // namespace plumb
