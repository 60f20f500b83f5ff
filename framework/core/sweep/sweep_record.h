// The folder of a sweep:
//
//   runs/NAME/sweep.json        the arms: name, row, seed, values, status, seconds, error, hash of the resolved recipe
//   runs/NAME/recipe.yaml       as given
//   runs/NAME/ARM/              the run of each arm (pipeline/run_record.h)
//   runs/NAME/results.csv       one line an arm: what varies, status, the measures (sweep/sweep_results.h)
//   runs/NAME/results.json      the same
//
// An arm is waiting, running, done, failed, stopped, or blocked (a stage it needs failed in another arm). sweep.json is
// replaced as a whole whenever one of these changes. An arm of an earlier sweep of this name that the recipe no longer
// has keeps its folder and leaves the record.
// Thread contract: one thread.
#pragma once

#include <filesystem>

#include "framework/core/recipe/recipe.h"

namespace plumb {

class SweepRecord {
 public:
  SweepRecord(const std::filesystem::path& folder, const Recipe& recipe, const std::string& recipe_text,
              const Sweep& sweep);

  // The seconds that this arm took when an earlier command finished it with the same resolved recipe; else nothing.
  [[nodiscard]] std::optional<double> done_before(std::size_t arm) const;
  void set(std::size_t arm, const std::string& status, double seconds = 0, const std::string& error = {});
  void finish(const std::string& status, double seconds);
  [[nodiscard]] const Value& value() const { return sweep_; }
  [[nodiscard]] const Value& arm(std::size_t arm) const { return sweep_.at("arms").as_list()[arm]; }
  [[nodiscard]] std::string resolved_sha256(std::size_t arm) const;

 private:
  void save() const;

  std::filesystem::path folder_;
  Value sweep_, earlier_;
};

}  // namespace plumb
