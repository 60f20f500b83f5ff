// Learning rates: linear, cosine and constant with a linear warm-up, step for step as Hugging Face's schedulers.
//
//   Schedule schedule(settings, total_updates);
//   double rate = schedule.rate(update);   // of update 0, 1, …
//
// With W warm-up updates out of T, update s < W uses base · s / W (so update 0 has rate 0), later ones base · f(s) with
//   linear    max(0, (T − s) / (T − W))
//   cosine    max(0, (1 + cos(π · (s − W) / (T − W))) / 2)
//   constant  1
// (transformers.optimization.get_{linear,cosine,constant}_schedule_with_warmup). T counts updates, not micro-batches.
// Thread contract: a value; rate is [any].
#pragma once

#include <cstdint>

#include "framework/core/catalogue/settings.h"

namespace plumb {

// warmup_steps when it is set, else ceil(warmup_ratio · total).
std::int64_t warmup_updates(const TrainingSettings& settings, std::int64_t total);

class Schedule {
 public:
  // Throws Error(recipe) for a type it does not know.
  Schedule(const TrainingSettings& settings, std::int64_t total_updates);
  [[nodiscard]] double rate(std::int64_t update) const;

 private:
  enum class Shape { linear, cosine, constant };
  Shape shape_;
  double base_;
  std::int64_t warmup_, total_;
};

}  // namespace plumb
