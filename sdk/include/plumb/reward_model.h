// A reward model gives each response of a prompt a number. Raw head outputs: whoever normalises says so.
//
// Thread contract: score is [lane].
#pragma once

#include <span>
#include <vector>

#include "plumb/component.h"
#include "plumb/host.h"
#include "plumb/params.h"
#include "plumb/records.h"

namespace plumb {
inline namespace v1 {

class RewardModel : public Component {
 public:
  static constexpr const char* kind = "reward-model/1";
  ~RewardModel() override;

  // [lane] Rewards of every response of every group, in order. Several prompts a call, so that work can be batched.
  [[nodiscard]] virtual std::vector<std::vector<double>> score(std::span<const ResponseGroup> groups) = 0;
};

}  // namespace v1
}  // namespace plumb
