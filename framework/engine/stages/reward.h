// The reward component of a stage and its answers, checked.
//
//   StageReward reward(settings.reward, context);          // its path is filled in (components/hand_over.h)
//   const OverlongAnswers overlong = reward.settle_overlong(groups);   // what the model cannot read whole
//   reward.fill(groups);                                   // every response has a finite reward now
//
// Thread contract: [lane].
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "framework/core/catalogue/stage.h"
#include "framework/core/components/made.h"
#include "plumb/reward_model.h"

namespace plumb {

// What a reward model cannot read whole.
struct OverlongAnswers {
  std::int64_t answers = 0, prompts = 0;    // prompts with such an answer
  std::int64_t prompts_without_answer = 0;  // of these, left without any
  bool dropped = false;                     // else cut
};

class StageReward {
 public:
  StageReward(const ComponentRef& reward, StageContext& context);

  // [groups][responses]. Throws Error(plugin) that names the prompt when the component gives too few or a number that
  // is not finite, and Cancelled when the context asks to stop.
  [[nodiscard]] std::vector<std::vector<double>> score(std::span<const ResponseGroup> groups);
  void fill(std::span<ResponseGroup> groups);

  // Looks at all answers before one is scored. As the component's `overlong` says: throws Error(data) that counts them,
  // takes them out of `groups` (a prompt stays, if without answers), or only counts what `score` will cut. Nothing is
  // overlong for a component that has no bound.
  [[nodiscard]] OverlongAnswers settle_overlong(std::vector<ResponseGroup>& groups);
  // Of an online optimizer, which needs a reward of every answer: the number of answers that `score` will cut; throws
  // Error(data) where they may not be.
  [[nodiscard]] std::int64_t count_overlong(std::span<const ResponseGroup> groups);

 private:
  [[nodiscard]] std::vector<std::vector<std::int64_t>> excess(std::span<const ResponseGroup> groups);

  StageContext& context_;
  Made<RewardModel> reward_;
  Made<BoundedReward> bounded_;  // the same object; empty without a bound
};

}  // namespace plumb
