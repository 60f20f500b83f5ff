#include "framework/core/telemetry/rate.h"

#include <chrono>

namespace plumb {

namespace {

constexpr double window = 30;    // seconds
constexpr double spacing = 0.5;  // between kept samples

}  // namespace

void Rate::add(double seconds, std::size_t done) {
  if (!samples_.empty() && done < samples_.back().done) restart();
  // The newest sample moves until it is `spacing` away from the one before it.
  if (samples_.size() >= 2 && seconds - samples_[samples_.size() - 2].seconds < spacing) samples_.pop_back();
  samples_.push_back({seconds, done});
  while (samples_.size() > 2 && seconds - samples_[1].seconds >= window) samples_.pop_front();
}

std::optional<double> Rate::per_second() const {
  if (samples_.empty() || samples_.back().done == samples_.front().done) return std::nullopt;
  const double elapsed = samples_.back().seconds - samples_.front().seconds;
  if (elapsed <= 0) return std::nullopt;
  return static_cast<double>(samples_.back().done - samples_.front().done) / elapsed;
}

std::optional<double> Rate::seconds_left(std::size_t total) const {
  const std::optional<double> speed = per_second();
  if (!speed || total < samples_.back().done) return std::nullopt;
  return static_cast<double>(total - samples_.back().done) / *speed;
}

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace plumb
