// The number of threads that a stage computes with. It decides in which order sums are taken and so the last bits of
// what comes out: a stage keeps the number it began with when it goes on elsewhere, and its summary says it.
//
//   const StageThreads threads(engine, writer.work_folder(), [&](const std::string& note) { … });
//   body(context);
//   context.summarise("threads", threads.count());
//
// LibTorch takes the number of cores, or OMP_NUM_THREADS. Other processors may still give other bits: LibTorch and its
// libraries choose instructions by what a processor has.
// Thread contract: one thread, the one that computes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "framework/core/door/engine.h"

namespace plumb {

class StageThreads {
 public:
  // `work`: the folder of the stage's unfinished work, which holds the number of an interrupted attempt. `tell` gets a
  // sentence when that is not the number this process would take. Throws Error(data).
  StageThreads(const Engine& engine, const std::filesystem::path& work,
               const std::function<void(const std::string&)>& tell);
  StageThreads(const StageThreads&) = delete;
  StageThreads& operator=(const StageThreads&) = delete;
  ~StageThreads();  // gives the process its own number back

  [[nodiscard]] std::int64_t count() const { return count_; }

 private:
  const Engine& engine_;
  int own_, count_;
};

}  // namespace plumb
