// The metrics of a training stage: metrics.jsonl, one row per logged step, and a TensorBoard file with the same
// numbers.
//
//   MetricsFile metrics(folder);
//   metrics.rewind(checkpoint.step);              // on resume; without it the first add() starts anew
//   metrics.add(10, {{"loss", 0.69}, {"rewards/margins", 0.02}});
//
// Both files depend on nothing but what was added: the same run writes the same bytes, interrupted or not.
// Thread contract: [any].
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>

#include "framework/core/artifacts/descriptor.h"

namespace plumb {

class MetricsFile {
 public:
  explicit MetricsFile(std::filesystem::path folder);
  // Durable when it returns. A value that is not finite is null in the row. Throws Error(data) when the disk is full.
  void add(std::int64_t step, const std::map<std::string, double>& values);
  // Drops the rows after `step`. Throws Error(data) when a row that is to stay cannot be read.
  void rewind(std::int64_t step);
  // What closing the files says, which on network file systems and under quotas may be the first word of a failed
  // write. Throws Error(data); the destructor closes, too, and is silent.
  void close();

 private:
  void restart(const std::string& rows, const std::string& events);

  std::filesystem::path folder_;
  std::mutex mutex_;
  Descriptor rows_{-1}, events_{-1};
};

}  // namespace plumb
