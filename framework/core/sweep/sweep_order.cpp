#include "framework/core/sweep/sweep_order.h"

#include <algorithm>
#include <set>

namespace plumb {

std::optional<std::size_t> SweepOrder::next(const std::function<bool(const std::string&)>& is_there) {
  std::set<std::string> busy;
  for (std::size_t arm = 0; arm < states_.size(); ++arm) {
    if (states_[arm] != State::running) continue;
    std::erase_if(missing_[arm], is_there);
    busy.insert(missing_[arm].begin(), missing_[arm].end());
  }
  for (std::size_t arm = 0; arm < states_.size(); ++arm) {
    if (states_[arm] != State::waiting || blocked_by(arm)) continue;
    const bool overlaps = std::any_of(missing_[arm].begin(), missing_[arm].end(),
                                      [&](const std::string& key) { return busy.count(key) != 0 && !is_there(key); });
    if (overlaps) continue;
    states_[arm] = State::running;
    return arm;
  }
  return std::nullopt;
}

void SweepOrder::finished(std::size_t arm, const std::string& failed_key) {
  states_[arm] = State::over;
  if (!failed_key.empty()) failed_.emplace(failed_key, arm);
}

std::size_t SweepOrder::waiting() const {
  return static_cast<std::size_t>(std::count(states_.begin(), states_.end(), State::waiting));
}

std::optional<std::size_t> SweepOrder::blocked_by(std::size_t arm) const {
  for (const std::string& key : missing_[arm]) {
    if (const auto found = failed_.find(key); found != failed_.end()) return found->second;
  }
  return std::nullopt;
}

}  // namespace plumb
