// How the cache of keys and values on a GPU grows with its longest row (tensor_kv_cache.cpp), for the cache itself and
// for estimates of what it will need.
//
//   slab.reserve(grown_tokens(had, wanted));
//   peak_tokens(512)        // 948: while keys and values move, one after the other, from 474 places to 711
//
// Thread contract: [any].
#pragma once

#include <algorithm>
#include <cstdint>

namespace plumb {

// Places for tokens after a row of `had` places must hold `wanted`.
constexpr std::int64_t grown_tokens(std::int64_t had, std::int64_t wanted) {
  return wanted <= had ? had : std::max(wanted, had * 3 / 2);
}

// The most places that a row occupies at once while it grows to `longest` tokens one by one: at the last move the new
// keys and values are there and the old values are not yet gone.
constexpr std::int64_t peak_tokens(std::int64_t longest) {
  std::int64_t before = 0, places = 0;
  while (places < longest) {
    before = places;
    places = grown_tokens(places, places + 1);
  }
  return places + before / 2;
}

}  // namespace plumb
