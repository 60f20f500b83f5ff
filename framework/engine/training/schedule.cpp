#include "framework/engine/training/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "plumb/error.h"

namespace plumb {

std::int64_t warmup_updates(const TrainingSettings& settings, std::int64_t total) {
  if (settings.warmup_steps > 0) return settings.warmup_steps;
  return static_cast<std::int64_t>(std::ceil(settings.warmup_ratio * static_cast<double>(total)));
}

Schedule::Schedule(const TrainingSettings& settings, std::int64_t total_updates)
    : base_(settings.learning_rate), warmup_(warmup_updates(settings, total_updates)), total_(total_updates) {
  const std::string& type = settings.lr_scheduler_type;
  if (type == "linear") {
    shape_ = Shape::linear;
  } else if (type == "cosine") {
    shape_ = Shape::cosine;
  } else if (type == "constant") {
    shape_ = Shape::constant;
  } else {
    throw Error(ErrorCode::recipe, "lr_scheduler_type is '" + type + "'; it can be linear, cosine or constant");
  }
}

double Schedule::rate(std::int64_t update) const {
  if (update < warmup_)
    return base_ * static_cast<double>(update) / static_cast<double>(std::max<std::int64_t>(1, warmup_));
  // HF guards both divisions with max(1, T − W): a warm-up as long as the run leaves no decay to compute.
  const auto decay = static_cast<double>(std::max<std::int64_t>(1, total_ - warmup_));
  switch (shape_) {
    case Shape::linear:
      return base_ * std::max(0.0, static_cast<double>(total_ - update) / decay);
    case Shape::cosine:
      return base_ *
             std::max(0.0, 0.5 * (1 + std::cos(std::numbers::pi * static_cast<double>(update - warmup_) / decay)));
    case Shape::constant:
      break;
  }
  return base_;
}

}  // namespace plumb
