#include "framework/engine/training/batching.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "plumb/error.h"

namespace plumb {

EpochOrder in_order(std::size_t examples) {
  return [examples](Random) {
    std::vector<std::size_t> order(examples);
    std::iota(order.begin(), order.end(), std::size_t{0});
    return order;
  };
}

EpochOrder shuffled(std::size_t examples) {
  return [base = in_order(examples)](Random random) {
    auto order = base(random);
    random.shuffle(order);
    return order;
  };
}

EpochOrder blocked(std::vector<std::size_t> group_of_example, std::size_t cap) {
  const std::size_t groups =
      group_of_example.empty() ? 0 : *std::max_element(group_of_example.begin(), group_of_example.end()) + 1;
  std::vector<std::vector<std::size_t>> members(groups);
  for (std::size_t i = 0; i < group_of_example.size(); ++i) members[group_of_example[i]].push_back(i);
  return [members = std::move(members), cap, examples = group_of_example.size()](Random random) {
    std::vector<std::vector<std::size_t>> blocks;
    for (std::vector<std::size_t> group : members) {
      random.shuffle(group);
      const std::size_t size = cap == 0 ? std::max<std::size_t>(1, group.size()) : cap;
      for (std::size_t begin = 0; begin < group.size(); begin += size) {
        const std::size_t end = std::min(begin + size, group.size());
        blocks.emplace_back(group.begin() + static_cast<std::ptrdiff_t>(begin),
                            group.begin() + static_cast<std::ptrdiff_t>(end));
      }
    }
    random.shuffle(blocks);
    std::vector<std::size_t> order;
    order.reserve(examples);
    for (const auto& block : blocks) order.insert(order.end(), block.begin(), block.end());
    if (!order.empty()) {
      std::rotate(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(random.below(order.size())), order.end());
    }
    return order;
  };
}

EpochOrder pair_order(const std::string& pair_batching, std::int64_t cap, std::vector<std::size_t> group_of_pair) {
  if (pair_batching == "exact") return shuffled(group_of_pair.size());
  if (pair_batching == "grouped") return blocked(std::move(group_of_pair), 0);
  if (pair_batching == "capped" && cap > 0) return blocked(std::move(group_of_pair), static_cast<std::size_t>(cap));
  throw Error(ErrorCode::recipe, "pair_batching is '" + pair_batching + "' with pair_cap " + std::to_string(cap) +
                                     "; it can be exact, grouped, or capped with a pair_cap of at least 1");
}

BatchPlan::BatchPlan(const Settings& settings, EpochOrder order, Random random)
    : examples_(settings.examples), batch_size_(settings.batch_size), order_(std::move(order)), random_(random) {
  if (examples_ == 0) throw Error(ErrorCode::data, "there is no example to train on; at least one is needed");
  const auto n = static_cast<std::int64_t>(examples_);
  per_epoch_ = (n + batch_size_ - 1) / batch_size_;
  updates_ = settings.max_steps > 0
                 ? settings.max_steps
                 : static_cast<std::int64_t>(std::ceil(settings.epochs * static_cast<double>(per_epoch_)));
}

const std::vector<std::size_t>& BatchPlan::epoch_order(std::int64_t epoch) {
  if (epoch != current_epoch_) {
    current_ = order_(random_.derive(static_cast<std::uint64_t>(epoch)));
    current_epoch_ = epoch;
  }
  return current_;
}

std::vector<std::size_t> BatchPlan::batch(std::int64_t update) {
  const auto& order = epoch_order(update / per_epoch_);
  const auto begin = static_cast<std::size_t>((update % per_epoch_) * batch_size_);
  const auto end = std::min(begin + static_cast<std::size_t>(batch_size_), examples_);
  return {order.begin() + static_cast<std::ptrdiff_t>(begin), order.begin() + static_cast<std::ptrdiff_t>(end)};
}

std::vector<std::size_t> BatchPlan::visited() {
  std::vector<std::size_t> all;
  if (updates_ >= per_epoch_) return in_order(examples_)(random_);
  for (std::int64_t update = 0; update < updates_; ++update) {
    const auto rows = batch(update);
    all.insert(all.end(), rows.begin(), rows.end());
  }
  std::sort(all.begin(), all.end());
  return all;
}

std::vector<std::span<const std::size_t>> micro_batches(std::span<const std::size_t> batch, std::int64_t size) {
  const std::size_t step = size > 0 ? static_cast<std::size_t>(size) : std::max<std::size_t>(1, batch.size());
  std::vector<std::span<const std::size_t>> slices;
  for (std::size_t begin = 0; begin < batch.size(); begin += step) {
    slices.push_back(batch.subspan(begin, std::min(step, batch.size() - begin)));
  }
  return slices;
}

}  // namespace plumb
