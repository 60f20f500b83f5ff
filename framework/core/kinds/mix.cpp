// Kind `mix`: rows of several datasets in one file, each with the dataset's name as its column `source`.
//
// Output: as the inputs' (dataset.cpp). Ids begin with the dataset's name, so that they stay unique.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "framework/core/artifacts/records_file.h"
#include "framework/core/artifacts/row_files.h"
#include "framework/core/catalogue/declared.h"

namespace plumb {
namespace {

namespace type = artifact_type;

struct MixSettings {              // stage: mix
  std::vector<std::string> data;  // datasets of one type
  Value weights;                  // by dataset: the part of its rows that is taken, above 0 and at most 1; absent: all
  std::int64_t limit = 0;         // of the mixture; 0: all
};

std::string broken_mix(const MixSettings& s) {
  if (s.data.empty()) return "data: the list is empty; name at least one dataset";
  if (std::set<std::string>(s.data.begin(), s.data.end()).size() != s.data.size()) {
    return "data: the same dataset stands in the list twice";
  }
  if (s.weights.is_null()) return {};
  if (!s.weights.is_map()) return "weights: must be a map from datasets to the part of each that is taken";
  for (const auto& [name, weight] : s.weights.as_map()) {
    if (std::find(s.data.begin(), s.data.end(), name) == s.data.end()) {
      return "weights: " + name + " is not in `data`";
    }
    const bool number = weight.type() == Value::Type::integer || weight.type() == Value::Type::real;
    if (!number || !(weight.as_double() > 0 && weight.as_double() <= 1)) {
      return "weights: of " + name + ": wanted a number above 0 and at most 1, the part of its rows that is taken";
    }
  }
  return {};
}

Declared<MixSettings> declare_mix() {
  Declared<MixSettings> d{"rows of several datasets in one, shuffled by the run's seed"};
  auto& p = d.params;
  p.add(&MixSettings::data, "data", "the datasets, all of one type; each has its own `limit`")
      .accepts({type::prompts, type::demonstrations, type::preferences, type::texts})
      .required();
  p.add(&MixSettings::weights, "weights",
        "by dataset, the part of its rows that is taken, drawn by the run's seed: {hh: 0.1}; absent: all of them");
  p.add(&MixSettings::limit, "limit", "rows of the mixture; 0 keeps all").at_least(0).unit("rows");
  d.rule(broken_mix);
  return d;
}

// Rows of one type, with what makes an id and a column of each.
template <class T>
struct Kind;
template <>
struct Kind<Prompt> {
  static constexpr const char* file = row_file::prompts;
  static std::vector<Prompt> read(const std::filesystem::path& path) { return read_prompts(path).value(); }
  static void mark(Prompt& row, const std::string& name) {
    row.id = name + "/" + row.id;
    row.extra.set("source", name);
  }
};
template <>
struct Kind<Demonstration> {
  static constexpr const char* file = row_file::demonstrations;
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
  static constexpr const char* file = row_file::preferences;
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

void run(StageContext& context) {
  const MixSettings settings = declare_mix().with_rules().parse(context.params());
  const std::string& type = context.inputs("data").front().second->manifest.type;
  if (type == artifact_type::prompts) return mix<Prompt>(context, settings);
  if (type == artifact_type::preferences) return mix<Preference>(context, settings);
  mix<Demonstration>(context, settings);
}

StageKind make_kind() {
  StageKind kind = declare_mix().kind("mix", "*", "data");
  kind.body = run;
  return kind;
}

const KindRegistration registered(20, make_kind);

}  // namespace

}  // namespace plumb
