#include "framework/core/telemetry/row_account.h"

#include <fmt/format.h>

#include <algorithm>

#include "framework/core/telemetry/text.h"

namespace plumb {
namespace {

// A reason of a data source: "reason", "reason; cure", or "cut: reason" of rows that were kept in part.
RowCount parsed(const std::string& skipped) {
  RowCount out;
  const std::size_t cure = std::min(skipped.find("; "), skipped.size());
  out.reason = skipped.substr(0, cure);
  if (cure < skipped.size()) out.cure = skipped.substr(cure + 2);
  if (constexpr std::string_view cut = "cut: "; out.reason.starts_with(cut)) {
    out.what = "cut";
    out.reason.erase(0, cut.size());
  }
  return out;
}

std::string reason_of(const RowCount& count, bool alone) {
  std::string out = alone ? count.reason : fmt::format("{} {}", show_count(count.count), count.reason);
  if (!count.first.empty()) out += fmt::format(" (first {})", count.first);
  if (count.cure.empty()) return out;
  return out + (alone ? "; " + count.cure : fmt::format(" ({})", count.cure));
}

std::string line_of(std::vector<const RowCount*> group) {
  std::stable_sort(group.begin(), group.end(), [](const auto* a, const auto* b) { return a->count > b->count; });
  std::int64_t all = 0, of = 0;
  for (const RowCount* count : group) {
    all += count->count;
    of = std::max(of, count->of);
  }
  std::vector<std::string> reasons;
  for (const RowCount* count : group) reasons.push_back(reason_of(*count, group.size() == 1));
  return fmt::format("{} {} of {} {}: {}", group.front()->what, show_count(all), show_count(of), group.front()->unit,
                     fmt::join(reasons, ", "));
}

}  // namespace

void RowAccount::add(RowCount count) {
  if (count.count == 0) return;
  for (RowCount& known : counts_) {
    if (known.what != count.what || known.unit != count.unit || known.reason != count.reason) continue;
    known.count += count.count;
    known.of = std::max(known.of, count.of);
    return;
  }
  counts_.push_back(std::move(count));
}

void RowAccount::add(const std::map<std::string, std::size_t>& skipped, std::size_t emitted) {
  std::vector<RowCount> counts;
  auto rows = static_cast<std::int64_t>(emitted);
  for (const auto& [reason, count] : skipped) {
    counts.push_back(parsed(reason));
    counts.back().count = static_cast<std::int64_t>(count);
    if (counts.back().what == "left out") rows += counts.back().count;
  }
  for (RowCount& count : counts) {
    count.of = rows;
    add(std::move(count));
  }
}

void RowAccount::add(const RowAccount& other) {
  for (const RowCount& count : other.counts_) add(count);
}

std::int64_t RowAccount::count(const std::string& reason) const {
  std::int64_t out = 0;
  for (const RowCount& count : counts_) out += count.reason == reason ? count.count : 0;
  return out;
}

std::vector<std::string> RowAccount::lines() const {
  std::vector<std::vector<const RowCount*>> groups;
  for (const RowCount& count : counts_) {
    const auto same = [&](const auto& group) {
      return group.front()->what == count.what && group.front()->unit == count.unit;
    };
    auto group = std::find_if(groups.begin(), groups.end(), same);
    if (group == groups.end()) group = groups.insert(groups.end(), std::vector<const RowCount*>{});
    group->push_back(&count);
  }
  std::vector<std::string> out;
  for (auto& group : groups) out.push_back(line_of(std::move(group)));
  return out;
}

std::string RowAccount::line() const {
  return fmt::format("{}", fmt::join(lines(), "; "));
}

Value RowAccount::to_value() const {
  Value::List out;
  for (const RowCount& count : counts_) {
    Value entry = Value::map({{"what", count.what},
                              {"count", count.count},
                              {"of", count.of},
                              {"unit", count.unit},
                              {"reason", count.reason}});
    if (!count.cure.empty()) entry.set("cure", count.cure);
    if (!count.first.empty()) entry.set("first", count.first);
    out.push_back(std::move(entry));
  }
  return out;
}

RowAccount RowAccount::of_summary(const Value& summary) {
  RowAccount out;
  const Value* account = summary.is_map() ? summary.find(key) : nullptr;
  if (account == nullptr || !account->is_list()) return out;
  for (const Value& entry : account->as_list()) {
    const auto text = [&](const char* name) {
      const Value* found = entry.find(name);
      return found == nullptr ? std::string() : found->as_string();
    };
    out.add({text("what"), entry.at("count").as_int(), entry.at("of").as_int(), text("unit"), text("reason"),
             text("cure"), text("first")});
  }
  return out;
}

}  // namespace plumb
