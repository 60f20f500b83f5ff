// How many threads LibTorch uses in one thread of ours. at::set_num_threads would change it for every thread that
// starts later, so the two pools that LibTorch computes with are set for this thread only.
#include <ATen/Parallel.h>

#include "framework/core/door/bodies.h"

// Libraries below LibTorch; which of them there are depends on how it was built.
extern "C" {
[[gnu::weak]] void omp_set_num_threads(int count);
[[gnu::weak]] int MKL_Set_Num_Threads_Local(int count);  // returns the earlier setting; 0 is the process's
}

extern "C" void plumb_engine_compute_in_one_thread(bool alone) {
  thread_local int omp_before = 0;
  thread_local int mkl_before = 0;
  if (alone) omp_before = at::get_num_threads();  // its first call in a thread sets the thread up
  if (omp_set_num_threads != nullptr) omp_set_num_threads(alone ? 1 : omp_before);
  if (MKL_Set_Num_Threads_Local != nullptr) {
    const int before = MKL_Set_Num_Threads_Local(alone ? 1 : mkl_before);
    if (alone) mkl_before = before;
  }
}

extern "C" int plumb_engine_threads(int wanted) {
  if (wanted > 0) at::set_num_threads(wanted);
  return at::get_num_threads();
}
