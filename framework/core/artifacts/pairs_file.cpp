// Reading pairs back as groups of unique responses.
#include <fmt/format.h>

#include <limits>
#include <unordered_map>

#include "framework/core/artifacts/records_file.h"
#include "framework/core/artifacts/row_files.h"

namespace plumb {
namespace fs = std::filesystem;

namespace {

class PairReader {
 public:
  explicit PairReader(std::vector<ResponseGroup> groups) : groups_(std::move(groups)) {}

  Result<void> index(const fs::path& file) {
    sampled_.reserve(groups_.size());
    for (std::size_t i = 0; i < groups_.size(); ++i) {
      sampled_.push_back(static_cast<int>(groups_[i].responses.size()));
      if (!by_id_.emplace(groups_[i].prompt.id, i).second) {
        return Error(ErrorCode::data, fmt::format("{}: prompt_id `{}` appears twice; each prompt has one row",
                                                  file.string(), groups_[i].prompt.id));
      }
    }
    return {};
  }

  Result<void> add(const Value& row, const std::string& where) {
    Result<Preference> pair = preference_from(row, where);
    if (!pair) return pair.error();
    const auto group = by_id_.find(pair->prompt.id);
    if (group == by_id_.end()) {
      return Error(ErrorCode::data,
                   fmt::format("{}:1: prompt_id `{}` has no row in responses.jsonl", where, pair->prompt.id));
    }
    Result<int> chosen = resolve(group->second, row, "chosen_index", pair->chosen, where);
    if (!chosen) return chosen.error();
    Result<int> rejected = resolve(group->second, row, "rejected_index", pair->rejected, where);
    if (!rejected) return rejected.error();
    pairs_.push_back({group->second, *chosen, *rejected, margin_of(*pair)});
    return {};
  }

  // NaN: the data has none.
  static double margin_of(const Preference& pair) {
    if (pair.margin) return *pair.margin;
    if (pair.chosen_reward && pair.rejected_reward) return *pair.chosen_reward - *pair.rejected_reward;
    return std::numeric_limits<double>::quiet_NaN();
  }

  PairSet finish() { return {std::move(groups_), std::move(pairs_)}; }

 private:
  Result<int> resolve(std::size_t group, const Value& row, std::string_view column, const std::string& text,
                      const std::string& where) {
    const Value* index = row.find(column);
    if (index == nullptr || index->type() != Value::Type::integer || index->as_int() < PairChoice::annotated ||
        index->as_int() >= sampled_[group]) {
      return Error(ErrorCode::data,
                   fmt::format("{}:{}: `{}` must be an index below {}, or -1 for the dataset's own answer; found {}",
                               where, index == nullptr ? 1 : index->mark.column, column, sampled_[group],
                               index == nullptr ? "nothing" : to_json(*index)));
    }
    const auto position = static_cast<int>(index->as_int());
    return position == PairChoice::annotated ? annotated(group, text) : position;
  }

  // The dataset's answer becomes a response after the sampled ones, once for all pairs that use it.
  int annotated(std::size_t group, const std::string& text) {
    std::vector<Response>& responses = groups_[group].responses;
    for (auto i = static_cast<std::size_t>(sampled_[group]); i < responses.size(); ++i) {
      if (responses[i].text == text) return static_cast<int>(i);
    }
    responses.push_back({.text = text});
    return static_cast<int>(responses.size()) - 1;
  }

  std::vector<ResponseGroup> groups_;
  std::vector<int> sampled_;  // responses of each group before annotated ones were added
  std::unordered_map<std::string, std::size_t> by_id_;
  std::vector<PairSet::Item> pairs_;
};

Result<PairSet> pairs_of_preferences(const fs::path& file) {
  Result<std::vector<Preference>> preferences = read_preferences(file);
  if (!preferences) return preferences.error();
  PairSet set;
  for (Preference& preference : *preferences) {
    const double margin = PairReader::margin_of(preference);
    ResponseGroup group;
    group.prompt = preference.prompt;
    group.responses.push_back({.text = preference.chosen, .reward = preference.chosen_reward});
    group.responses.push_back({.text = preference.rejected, .reward = preference.rejected_reward});
    group.annotation = std::move(preference);
    set.pairs.push_back({set.groups.size(), 0, 1, margin});
    set.groups.push_back(std::move(group));
  }
  return set;
}

}  // namespace

Result<PairSet> read_pairs(const fs::path& folder) {
  const fs::path pairs = folder / row_file::pairs;
  const fs::path preferences = folder / row_file::preferences;
  std::error_code ignored;
  if (!fs::exists(pairs, ignored)) {
    if (fs::exists(preferences, ignored)) return pairs_of_preferences(preferences);
    return Error(ErrorCode::data, fmt::format("{} holds neither pairs.jsonl nor preferences.jsonl", folder.string()));
  }
  const fs::path responses = folder / row_file::responses;
  Result<std::vector<ResponseGroup>> groups = read_groups(responses);
  if (!groups) return groups.error();
  PairReader reader(std::move(*groups));
  if (Result<void> indexed = reader.index(responses); !indexed) return indexed.error();
  Result<void> read =
      for_each_row(pairs, [&](const Value& row, const std::string& where) { return reader.add(row, where); });
  if (!read) return read.error();
  return reader.finish();
}

}  // namespace plumb
