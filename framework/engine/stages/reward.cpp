#include "framework/engine/stages/reward.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "framework/core/components/make.h"

namespace plumb {
namespace {

constexpr std::size_t kMeasuredAtOnce = 256;  // prompts between two looks at whether to stop

Made<RewardModel> make_reward(const ComponentRef& reward, StageContext& context) {
  const auto made = make<RewardModel>(context, reward);
  return {made.bare(), "reward " + reward.name, context.name()};  // by the recipe's key
}

}  // namespace

StageReward::StageReward(const ComponentRef& reward, StageContext& context)
    : context_(context), reward_(make_reward(reward, context)), bounded_(reward_.as<BoundedReward>()) {}

std::vector<std::vector<std::int64_t>> StageReward::excess(std::span<const ResponseGroup> groups) {
  std::vector<std::vector<std::int64_t>> out;
  for (std::size_t begin = 0; begin < groups.size(); begin += kMeasuredAtOnce) {
    if (context_.cancelled()) throw Cancelled{};
    const auto block = groups.subspan(begin, std::min(kMeasuredAtOnce, groups.size() - begin));
    auto part = bounded_.call(&BoundedReward::excess, block);
    part.resize(block.size());
    for (std::size_t i = 0; i < block.size(); ++i) part[i].resize(block[i].responses.size(), 0);
    out.insert(out.end(), std::make_move_iterator(part.begin()), std::make_move_iterator(part.end()));
  }
  return out;
}

OverlongAnswers StageReward::settle_overlong(std::vector<ResponseGroup>& groups) {
  OverlongAnswers out;
  if (!bounded_) return out;
  const auto overlong = bounded_.call(&BoundedReward::overlong);
  out.dropped = overlong == BoundedReward::Overlong::drop;
  const auto over = excess(groups);
  std::string first;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const auto count = std::count_if(over[i].begin(), over[i].end(), [](std::int64_t tokens) { return tokens > 0; });
    if (count == 0) continue;
    out.answers += count;
    ++out.prompts;
    if (first.empty()) {
      first =
          fmt::format("prompt {} by {} tokens", groups[i].prompt.id, *std::max_element(over[i].begin(), over[i].end()));
    }
    if (!out.dropped) continue;
    std::size_t r = 0;
    std::erase_if(groups[i].responses, [&](const Response&) { return over[i][r++] > 0; });
    out.prompts_without_answer += groups[i].responses.empty() ? 1 : 0;
  }
  if (out.answers == 0) return out;
  const std::string found =
      fmt::format("{} answers to {} of {} prompts are longer than the reward model reads, first {}", out.answers,
                  out.prompts, groups.size(), first);
  if (overlong == BoundedReward::Overlong::error) {
    throw Error(ErrorCode::data, found +
                                     "; nothing was scored. Leave them out with `overlong: drop` of the reward, have "
                                     "the end of each read with `overlong: truncate-left`, or sample shorter answers");
  }
  context_.log(LogLevel::warning, found + (out.dropped ? "; they are left out" : "; the end of each is read"));
  return out;
}

std::int64_t StageReward::count_overlong(std::span<const ResponseGroup> groups) {
  std::int64_t count = 0;
  if (!bounded_) return count;
  const auto over = excess(groups);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (const std::int64_t tokens : over[i]) {
      if (tokens == 0) continue;
      ++count;
      if (bounded_.call(&BoundedReward::overlong) == BoundedReward::Overlong::truncate_left) continue;
      throw Error(ErrorCode::data,
                  fmt::format("prompt {}: an answer is {} tokens longer than the reward model reads, and every answer "
                              "needs a reward here; set `overlong: truncate-left` of the reward, or shorten prompts or "
                              "rollout.max_new_tokens",
                              groups[i].prompt.id, tokens));
    }
  }
  return count;
}

std::vector<std::vector<double>> StageReward::score(std::span<const ResponseGroup> groups) {
  auto rewards = reward_.call(&RewardModel::score, groups);
  if (context_.cancelled()) throw Cancelled{};
  rewards.resize(std::max(rewards.size(), groups.size()));
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const auto wrong = [&](const std::string& what) {
      return Error(ErrorCode::plugin, fmt::format("{}: {} for prompt {}", reward_.name(), what, groups[i].prompt.id));
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
