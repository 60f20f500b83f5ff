#include "framework/engine/training/pair_rows.h"

#include <algorithm>
#include <unordered_map>

#include "framework/engine/modeling/index_upload.h"

namespace plumb {

std::string PairRows::describe(std::size_t pair) const {
  const Pair& p = pairs[pair];
  return "pair " + std::to_string(pair) + " (prompt " + names[p.group] + ", responses " + std::to_string(p.chosen) +
         " over " + std::to_string(p.rejected) + ")";
}

BatchTotals PairRows::totals(std::span<const std::size_t> batch) const {
  BatchTotals totals{.examples = static_cast<std::int64_t>(batch.size())};
  for (const std::size_t row : batch) {
    const Pair& pair = pairs[row];
    const SequenceGroup& group = groups[pair.group];
    const std::size_t answers = group.completions[pair.chosen].size() + group.completions[pair.rejected].size();
    totals.learnt_tokens += static_cast<std::int64_t>(answers);
    totals.tokens += static_cast<std::int64_t>(answers + 2 * group.prompt.size());
  }
  return totals;
}

void PairRows::arrange(std::vector<std::size_t>& batch) const {
  std::unordered_map<std::size_t, std::size_t> first;
  for (const std::size_t row : batch) first.try_emplace(pairs[row].group, first.size());
  std::stable_sort(batch.begin(), batch.end(),
                   [&](std::size_t a, std::size_t b) { return first.at(pairs[a].group) < first.at(pairs[b].group); });
}

std::vector<std::size_t> PairRows::group_of_pair() const {
  std::vector<std::size_t> groups_of;
  groups_of.reserve(pairs.size());
  for (const Pair& pair : pairs) groups_of.push_back(pair.group);
  return groups_of;
}

UniqueResponses gather(const PairRows& rows, std::span<const std::size_t> pairs, const at::Device& device) {
  // First which responses of which prompts, then their places: a prompt's responses must be neighbours.
  std::unordered_map<std::size_t, std::size_t> local;  // group -> local group
  std::vector<std::size_t> group_order;
  std::vector<std::vector<std::size_t>> used;                      // completions of each local group
  std::vector<std::unordered_map<std::size_t, std::size_t>> slot;  // completion -> index into used
  const auto want = [&](std::size_t group, std::size_t completion) {
    if (slot[group].try_emplace(completion, used[group].size()).second) used[group].push_back(completion);
  };
  for (const std::size_t row : pairs) {
    const PairRows::Pair& pair = rows.pairs[row];
    const auto [found, is_new] = local.try_emplace(pair.group, group_order.size());
    if (is_new) {
      group_order.push_back(pair.group);
      used.emplace_back();
      slot.emplace_back();
    }
    want(found->second, pair.chosen);
    want(found->second, pair.rejected);
  }

  UniqueResponses unique;
  std::vector<std::int64_t> start;
  for (std::size_t g = 0; g < group_order.size(); ++g) {
    const SequenceGroup& source = rows.groups[group_order[g]];
    SequenceGroup group{source.prompt, {}};
    start.push_back(static_cast<std::int64_t>(unique.origin.size()));
    for (const std::size_t completion : used[g]) {
      group.completions.push_back(source.completions[completion]);
      unique.origin.emplace_back(group_order[g], completion);
    }
    unique.groups.push_back(std::move(group));
  }

  std::vector<std::int64_t> chosen, rejected;
  std::vector<double> chosen_length, rejected_length, margin;
  for (const std::size_t row : pairs) {
    const PairRows::Pair& pair = rows.pairs[row];
    const std::size_t g = local.at(pair.group);
    const auto place = [&](std::size_t completion) {
      return start[g] + static_cast<std::int64_t>(slot[g].at(completion));
    };
    chosen.push_back(place(pair.chosen));
    rejected.push_back(place(pair.rejected));
    chosen_length.push_back(static_cast<double>(rows.groups[pair.group].completions[pair.chosen].size()));
    rejected_length.push_back(static_cast<double>(rows.groups[pair.group].completions[pair.rejected].size()));
    margin.push_back(pair.margin);
  }
  IndexUpload lists;
  const std::size_t chosen_at = lists.add(chosen), rejected_at = lists.add(rejected),
                    chosen_length_at = lists.add_reals(chosen_length),
                    rejected_length_at = lists.add_reals(rejected_length), margin_at = lists.add_reals(margin);
  lists.send(device);
  unique.chosen = lists[chosen_at];
  unique.rejected = lists[rejected_at];
  unique.chosen_length = lists.reals(chosen_length_at).to(at::kFloat);
  unique.rejected_length = lists.reals(rejected_length_at).to(at::kFloat);
  unique.margin = lists.reals(margin_at).to(at::kFloat);
  return unique;
}

}  // namespace plumb
