// Stage `mix`: rows of several datasets in one file, each with the dataset's name as its column `source`.
//
// Output: as the inputs' (dataset.cpp). Ids begin with the dataset's name, so that they stay unique.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "framework/core/artifacts/records_file.h"
#include "framework/core/catalogue/settings.h"
#include "framework/core/door/bodies.h"

namespace plumb {
namespace {

// Rows of one type, with what makes an id and a column of each.
template <class T>
struct Kind;
template <>
struct Kind<Prompt> {
  static constexpr const char* file = "prompts.jsonl";
  static std::vector<Prompt> read(const std::filesystem::path& path) { return read_prompts(path).value(); }
  static void mark(Prompt& row, const std::string& name) {
    row.id = name + "/" + row.id;
    row.extra.set("source", name);
  }
};
template <>
struct Kind<Demonstration> {
  static constexpr const char* file = "demonstrations.jsonl";
  static std::vector<Demonstration> read(const std::filesystem::path& path) {
    return read_demonstrations(path).value();
  }
  static void mark(Demonstration& row, const std::string& name) {
    row.id = name + "/" + row.id;
    row.extra.set("source", name);
  }
};
template <>
struct Kind<Preference> {
  static constexpr const char* file = "preferences.jsonl";
  static std::vector<Preference> read(const std::filesystem::path& path) { return read_preferences(path).value(); }
  static void mark(Preference& row, const std::string& name) {
    row.id = name + "/" + row.id;
    Kind<Prompt>::mark(row.prompt, name);
  }
};

double weight_of(const MixSettings& settings, const std::string& name) {
  const Value* weight = settings.weights.is_map() ? settings.weights.find(name) : nullptr;
  return weight == nullptr ? 1.0 : weight->as_double();
}

// The part of `count` rows that a weight takes, in their order, at least one.
std::vector<std::size_t> drawn(std::size_t count, double weight, Random random) {
  std::vector<std::size_t> rows(count);
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  const auto take = static_cast<std::size_t>(std::llround(weight * static_cast<double>(count)));
  if (take >= count || count == 0) return rows;
  random.shuffle(rows);
  rows.resize(std::max<std::size_t>(1, take));
  std::sort(rows.begin(), rows.end());
  return rows;
}

template <class T>
void mix(StageContext& context, const MixSettings& settings) {
  const Random random = context.random().derive("mix");
  std::vector<T> mixture;
  RowAccount account;
  for (const auto& [name, artifact] : context.inputs("data")) {
    std::vector<T> rows = Kind<T>::read(artifact->folder / Kind<T>::file);
    const std::vector<std::size_t> taken = drawn(rows.size(), weight_of(settings, name), random.derive(name));
    for (const std::size_t i : taken) {
      Kind<T>::mark(rows[i], name);
      mixture.push_back(std::move(rows[i]));
    }
    account.add({.count = static_cast<std::int64_t>(rows.size() - taken.size()),
                 .of = static_cast<std::int64_t>(rows.size()),
                 .unit = "rows of " + name,
                 .reason = fmt::format("its weight is {:.6g}", weight_of(settings, name))});
  }
  random.derive("order").shuffle(mixture);
  const std::size_t all = mixture.size();
  if (settings.limit > 0) mixture.resize(std::min(all, static_cast<std::size_t>(settings.limit)));
  account.add({.count = static_cast<std::int64_t>(all - mixture.size()),
               .of = static_cast<std::int64_t>(all),
               .reason = fmt::format("limit {}", settings.limit)});

  RowWriter writer(context.folder() / Kind<T>::file);
  std::map<std::string, std::int64_t> counts;
  for (const T& row : mixture) {
    const Value value = to_value(row);
    ++counts[value.at("source").as_string()];
    writer.write(value);
  }
  writer.flush();
  Value by_source = Value::map();
  for (const std::string& name : settings.data) by_source.set(name, counts[name]);
  context.summarise("rows", static_cast<std::int64_t>(mixture.size()));
  context.summarise("by_source", std::move(by_source));
  context.account(account);
}

}  // namespace

void run_mix(StageContext& context) {
  const MixSettings settings = mix_params().parse(context.params());
  const std::string& type = context.inputs("data").front().second->manifest.type;
  if (type == artifact_type::prompts) return mix<Prompt>(context, settings);
  if (type == artifact_type::preferences) return mix<Preference>(context, settings);
  mix<Demonstration>(context, settings);
}

}  // namespace plumb
