// Which arm of a sweep may start next. Two arms never make the same stage at once: an arm whose missing stages overlap
// with those of a running one waits until they are there. The store's locks would see to that as well, but an arm that
// waits for a lock takes a place in which another could work.
//
//   SweepOrder order(keys_of_missing_stages);              // by arm
//   while (auto arm = order.next([&](const std::string& key) { return store.holds(key); })) start(*arm);
//   order.finished(*arm, {});                              // or the key of the stage that failed
//
// A stage that failed fails again in every arm that needs it: those are `blocked`, not tried.
// Thread contract: one thread.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace plumb {

class SweepOrder {
 public:
  explicit SweepOrder(std::vector<std::vector<std::string>> missing) : missing_(std::move(missing)) {
    states_.resize(missing_.size());
  }

  // The first waiting arm that can start now, which then counts as running. `is_there`: whether a key's artifact is.
  std::optional<std::size_t> next(const std::function<bool(const std::string&)>& is_there);
  void finished(std::size_t arm, const std::string& failed_key);
  void skip(std::size_t arm) { states_[arm] = State::over; }

  [[nodiscard]] std::size_t waiting() const;
  // The arm in which a stage failed that this waiting arm needs.
  [[nodiscard]] std::optional<std::size_t> blocked_by(std::size_t arm) const;

 private:
  enum class State { waiting, running, over };
  std::vector<std::vector<std::string>> missing_;
  std::vector<State> states_;
  std::map<std::string, std::size_t> failed_;  // keys, and the arms they failed in
};

}  // namespace plumb
