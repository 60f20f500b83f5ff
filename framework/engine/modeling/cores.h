// Loops over LibTorch's own threads, for code that is not made of its operators.
//
//   over_cores(rows, 8, [&](std::int64_t begin, std::int64_t end) { for (…; i < end; ++i) … });
//
// The one place that is compiled with OpenMP: elsewhere at::parallel_for would silently be a serial loop.
// Thread contract: [any]; inside another parallel loop it runs in the calling thread. Exceptions come back to the
// caller.
#pragma once

#include <cstdint>
#include <functional>

namespace plumb {

// body(begin, end) on disjoint pieces of [0, count), each of at least `grain` items.
void over_cores(std::int64_t count, std::int64_t grain, const std::function<void(std::int64_t, std::int64_t)>& body);

}  // namespace plumb
