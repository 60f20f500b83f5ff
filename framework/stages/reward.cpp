#include "framework/stages/reward.h"

#include <fmt/format.h>

#include <cmath>

#include "framework/registry/registry.h"

namespace plumb {
namespace {

std::unique_ptr<RewardModel> make(const ComponentRef& reward, StageContext& context) {
  Value params = reward.params.is_null() ? Value::map() : reward.params;
  if (const Artifact* model = context.optional_input("reward_model"); model != nullptr) {
    params.set("path", model->folder.string());
  }
  return context.registry().make<RewardModel>(reward.name, params, context);
}

}  // namespace

StageReward::StageReward(const ComponentRef& reward, StageContext& context)
    : context_(context), name_("reward " + reward.name), reward_(make(reward, context)) {}

std::vector<std::vector<double>> StageReward::score(std::span<const ResponseGroup> groups) {
  auto rewards = guarded(name_, context_.name(), [&] { return reward_->score(groups); });
  if (context_.cancelled()) throw Cancelled{};
  rewards.resize(std::max(rewards.size(), groups.size()));
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const auto wrong = [&](const std::string& what) {
      return Error(ErrorCode::plugin, fmt::format("{}: {} for prompt {}", name_, what, groups[i].prompt.id));
    };
    const std::size_t got = rewards[i].size(), wanted = groups[i].responses.size();
    if (got != wanted) throw wrong(fmt::format("gave {} rewards, wanted {},", got, wanted));
    for (const double reward : rewards[i]) {
      if (!std::isfinite(reward)) throw wrong(fmt::format("gave the reward {}", reward));
    }
  }
  return rewards;
}

void StageReward::fill(std::span<ResponseGroup> groups) {
  const auto rewards = score(groups);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (std::size_t r = 0; r < groups[i].responses.size(); ++r) groups[i].responses[r].reward = rewards[i][r];
  }
}

}  // namespace plumb
