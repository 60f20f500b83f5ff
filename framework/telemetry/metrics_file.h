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
#include <memory>
#include <mutex>
#include <string>

namespace plumb {

class RowWriter;

class MetricsFile {
 public:
  explicit MetricsFile(std::filesystem::path folder);
  ~MetricsFile();
  MetricsFile(const MetricsFile&) = delete;
  MetricsFile& operator=(const MetricsFile&) = delete;
  // Durable when it returns. A value that is not finite is null in the row. Throws Error(data) when the disk is full.
  void add(std::int64_t step, const std::map<std::string, double>& values);
  // Drops the rows after `step`.
  void rewind(std::int64_t step);

 private:
  void restart(const std::string& rows, const std::string& events);

  std::filesystem::path folder_;
  std::mutex mutex_;
  std::unique_ptr<RowWriter> rows_;
  int events_ = -1;  // descriptor
};

}  // namespace plumb
