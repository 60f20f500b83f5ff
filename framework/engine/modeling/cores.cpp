#include "framework/engine/modeling/cores.h"

#include <ATen/Parallel.h>

#ifndef INTRA_OP_PARALLEL
#error "this file must be compiled with OpenMP, as LibTorch was"
#endif

namespace plumb {

void over_cores(std::int64_t count, std::int64_t grain, const std::function<void(std::int64_t, std::int64_t)>& body) {
  at::parallel_for(0, count, grain, body);
}

}  // namespace plumb
