// Philox4x32-10, the block function under plumb::Random: four 32-bit words from a 128-bit counter and a 64-bit key.
// J. Salmon, M. Moraes, R. Dror, D. Shaw: Parallel random numbers: as easy as 1, 2, 3 (SC'11), §3.2.
//
//   auto words = plumb::detail::philox4x32({counter, 0, 0, 0}, {key, 0});
//
// Thread contract: a pure function.
#pragma once

#include <array>
#include <cstdint>

namespace plumb::detail {

constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t even = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t odd = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<std::uint32_t>(odd >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(odd),
               static_cast<std::uint32_t>(even >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(even)};
    key = {key[0] + 0x9E3779B9, key[1] + 0xBB67AE85};  // golden ratio, √3 − 1: the paper's Weyl sequence
  }
  return counter;
}

}  // namespace plumb::detail
