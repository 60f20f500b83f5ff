// What became of the rows that a stage read but did not pass on as they were: left out, cut, merged … by reason, in
// words that say what to change. The one place that counts and words them: the stage's line on the terminal, `plumb
// show` and the report all show these lines.
//
//   RowAccount account;
//   account.add({.what = "left out", .count = 300, .of = 300, .reason = "no answer",
//                .cure = "for preferences set records: preferences"});
//   account.lines();      // {"left out 300 of 300 rows: no answer; for preferences set records: preferences"}
//   manifest.summary.set(RowAccount::key, account.to_value());
//
// Thread contract: a value type.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "plumb/value.h"

namespace plumb {

struct RowCount {
  std::string what = "left out";  // or "cut", "merged", "truncated": what was done
  std::int64_t count = 0, of = 0;
  std::string unit = "rows";
  std::string reason;      // "longer than max_length 512"
  std::string cure = {};   // what to change for another outcome, where there is something to change
  std::string first = {};  // the first one: its place or id
};

class RowAccount {
 public:
  static constexpr const char* key = "account";  // in a manifest's summary

  // Nothing is kept for a count of 0. Counts of the same deed, unit and reason are added.
  void add(RowCount count);
  // What a data source counted (DataSource::skipped) out of `emitted` rows that came and those that did not.
  void add(const std::map<std::string, std::size_t>& skipped, std::size_t emitted);
  void add(const RowAccount& other);

  [[nodiscard]] bool empty() const { return counts_.empty(); }
  [[nodiscard]] const std::vector<RowCount>& counts() const { return counts_; }
  // How many rows of this reason, whatever was done with them.
  [[nodiscard]] std::int64_t count(const std::string& reason) const;
  // A line for each deed and unit, its reasons by falling count.
  [[nodiscard]] std::vector<std::string> lines() const;
  [[nodiscard]] std::string line() const;  // the lines, joined by "; "

  // [{what, count, of, unit, reason, cure?, first?}]
  [[nodiscard]] Value to_value() const;
  // Of a manifest's summary; empty where it has none.
  static RowAccount of_summary(const Value& summary);

 private:
  std::vector<RowCount> counts_;
};

}  // namespace plumb
