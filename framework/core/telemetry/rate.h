// How fast work goes and how long the rest will take, over the last half minute.
//
//   rate.add(seconds, done);
//   if (auto left = rate.seconds_left(total)) …
//
// Thread contract: one thread at a time.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>

namespace plumb {

// Of a clock that never goes back; its beginning means nothing.
double steady_seconds();

class Rate {
 public:
  void restart() { samples_.clear(); }
  // `done` of an earlier attempt counts as nothing: the first sample is the start. A smaller `done` starts anew.
  void add(double seconds, std::size_t done);
  [[nodiscard]] std::optional<double> per_second() const;  // absent until work was seen to go on
  [[nodiscard]] std::optional<double> seconds_left(std::size_t total) const;

 private:
  struct Sample {
    double seconds;
    std::size_t done;
  };
  std::deque<Sample> samples_;
};

}  // namespace plumb
