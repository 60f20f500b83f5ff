// Reward models: a number for each answer.
#include <cmath>

#include "plumb/reward_model.h"
#include "sdk/check/context.h"
#include "sdk/check/fixtures.h"

namespace plumb::check {
namespace {

using Rewards = std::vector<std::vector<double>>;

std::string use(Context&, Component& component) {
  std::string out;
  for (const auto& group : static_cast<RewardModel&>(component).score(some_groups())) {
    for (const double reward : group) out += exact(reward) + " ";
    out += "\n";
  }
  return out;
}

bool fits(const std::vector<ResponseGroup>& groups, const Rewards& rewards) {
  bool same = groups.size() == rewards.size();
  for (std::size_t i = 0; same && i < groups.size(); ++i) same = groups[i].responses.size() == rewards[i].size();
  return same;
}

Rewards scored(Context& c) {
  Made made = c.make();
  Rewards rewards = made.as<RewardModel>().score(some_groups());
  if (!fits(some_groups(), rewards)) throw Skip{"because of reward.shape"};
  return rewards;
}

void shape(Context& c) {
  Made made = c.make();
  auto& model = made.as<RewardModel>();
  require(fits(some_groups(), model.score(some_groups())),
          "wanted one reward for each response of each group, in order");
}

void finite(Context& c) {
  for (const auto& group : scored(c)) {
    for (const double reward : group) require(std::isfinite(reward), "a reward is " + exact(reward));
  }
}

void empty(Context& c) {
  Made made = c.make();
  auto& model = made.as<RewardModel>();
  require(model.score({}).empty(), "no groups: wanted no rewards");
  auto groups = some_groups();
  groups[1].responses.clear();
  require(fits(groups, model.score(groups)), "a group without responses: wanted an empty list in its place");
}

// Not by the last bit: a batch's sums may be taken in another order.
void same(double found, double wanted, const std::string& what) {
  const bool bad = !std::isfinite(found) || !std::isfinite(wanted);  // another test says so
  require(bad || std::abs(found - wanted) <= 1e-4 * (1 + std::abs(wanted)),
          what + " has reward " + exact(found) + ", together with others " + exact(wanted));
}

void batches(Context& c) {
  const Rewards together = scored(c);
  Made made = c.make();
  auto& model = made.as<RewardModel>();
  const auto groups = some_groups();
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (std::size_t k = 0; k < groups[i].responses.size(); ++k) {
      const ResponseGroup one{groups[i].prompt, groups[i].prompt_ids, {groups[i].responses[k]}, {}};
      const Rewards alone = model.score({&one, 1});
      require(alone.size() == 1 && alone[0].size() == 1, "a single answer: wanted a single reward");
      same(alone[0][0], together[i][k], "an answer alone");
    }
  }
}

void order(Context& c) {
  const Rewards straight = scored(c);
  Made made = c.make();
  auto groups = some_groups();
  const std::vector<ResponseGroup> reversed(groups.rbegin(), groups.rend());
  const Rewards back = made.as<RewardModel>().score(reversed);
  require(fits(reversed, back), "groups in another order: the rewards do not fit them");
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (std::size_t k = 0; k < straight[i].size(); ++k) {
      same(back[groups.size() - 1 - i][k], straight[i][k], "an answer in a group elsewhere in the batch");
    }
  }
}

}  // namespace

Kind reward_kind() {
  return {RewardModel::kind,
          "reward",
          use,
          nullptr,
          {
              {"reward.shape", "one reward for each response of each group", shape, true},
              {"reward.finite", "every reward is a finite number", finite},
              {"reward.empty", "no groups, or a group without responses, is no error", empty},
              {"reward.batches", "a reward does not depend on what else is in the batch", batches},
              {"reward.order", "a reward does not depend on the order of the groups", order},
          }};
}

}  // namespace plumb::check
