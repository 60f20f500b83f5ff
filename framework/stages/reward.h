// The reward component of a stage and its answers, checked.
//
//   StageReward reward(settings.reward, context);          // with the stage's input `reward_model` as its path
//   reward.fill(groups);                                   // every response has a finite reward now
//
// Thread contract: [lane].
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "framework/pipeline/stage.h"
#include "plumb/reward_model.h"

namespace plumb {

class StageReward {
 public:
  StageReward(const ComponentRef& reward, StageContext& context);

  // [groups][responses]. Throws Error(plugin) that names the prompt when the component gives too few or a number that
  // is not finite, and Cancelled when the context asks to stop.
  [[nodiscard]] std::vector<std::vector<double>> score(std::span<const ResponseGroup> groups);
  void fill(std::span<ResponseGroup> groups);

 private:
  StageContext& context_;
  std::string name_;
  std::unique_ptr<RewardModel> reward_;
};

}  // namespace plumb
