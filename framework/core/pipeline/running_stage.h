// The StageContext of a stage that runs: its inputs, output folder, services and measurements.
//
// Thread contract: as StageContext.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "framework/core/pipeline/plan.h"
#include "framework/core/pipeline/stage_of_run.h"
#include "framework/core/telemetry/metrics_file.h"
#include "framework/core/telemetry/progress.h"

namespace plumb {

class RunningStage final : public StageOfRun {
 public:
  struct Setting {
    const Recipe& recipe;
    const PlannedStage& planned;
    const Registry& registry;
    const std::map<std::string, Artifact>& artifacts;  // by stage name: everything made so far
    Progress& progress;
  };
  RunningStage(const Setting& setting, const ArtifactWriter& writer);
  ~RunningStage() override;

  void log(LogLevel level, std::string_view message) override;
  void progress(std::string_view what, std::size_t done, std::size_t total) override;
  [[nodiscard]] std::string scratch_folder() override;

  [[nodiscard]] std::filesystem::path folder() const override;
  [[nodiscard]] std::filesystem::path work_folder() const override;
  void summarise(const std::string& key, Value value) override;
  void account(const RowAccount& rows) override;
  void metrics(std::int64_t step, const std::map<std::string, double>& values) override;
  void rewind_metrics(std::int64_t step) override;

  [[nodiscard]] Value summary() const;  // with the account of the rows
  // When the body has returned: what closing its metrics says. Throws Error(data).
  void close() { metrics_.close(); }

 private:
  [[nodiscard]] std::filesystem::path scratch_root() const;

  Progress& progress_;
  const ArtifactWriter& writer_;
  std::mutex mutex_;
  Value summary_ = Value::map();
  RowAccount account_;
  MetricsFile metrics_;
  int scratch_folders_ = 0;
};

}  // namespace plumb
