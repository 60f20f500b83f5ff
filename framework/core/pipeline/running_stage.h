// The StageContext of a stage that runs: its inputs, output folder, services and measurements.
//
// Thread contract: as StageContext.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "framework/core/catalogue/stage.h"
#include "framework/core/pipeline/plan.h"
#include "framework/core/telemetry/metrics_file.h"
#include "framework/core/telemetry/progress.h"
#include "plumb/language_models.h"

namespace plumb {

class RunningStage final : public StageContext {
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
  [[nodiscard]] bool cancelled() const override;
  void parallel_for(std::size_t count, const std::function<void(std::size_t)>& body) override;
  [[nodiscard]] std::string scratch_folder() override;
  [[nodiscard]] std::string recipe_folder() const override;
  [[nodiscard]] void* query(std::string_view service) override;

  [[nodiscard]] const std::string& name() const override;
  [[nodiscard]] const Value& params() const override;
  [[nodiscard]] const Artifact& input(const std::string& param) const override;
  [[nodiscard]] const Artifact* optional_input(const std::string& param) const override;
  [[nodiscard]] std::vector<std::pair<std::string, const Artifact*>> inputs(const std::string& param) const override;
  [[nodiscard]] std::filesystem::path folder() const override;
  [[nodiscard]] std::filesystem::path work_folder() const override;
  [[nodiscard]] const Registry& registry() const override;
  [[nodiscard]] Random random() const override;
  [[nodiscard]] std::uint64_t seed() const override;
  void summarise(const std::string& key, Value value) override;
  void account(const RowAccount& rows) override;
  void metrics(std::int64_t step, const std::map<std::string, double>& values) override;
  void rewind_metrics(std::int64_t step) override;

  [[nodiscard]] Value summary() const;  // with the account of the rows
  // When the body has returned: what closing its metrics says. Throws Error(data).
  void close() { metrics_.close(); }

 private:
  [[nodiscard]] std::filesystem::path scratch_root() const;

  Setting setting_;
  const ArtifactWriter& writer_;
  Value params_;
  std::mutex mutex_;
  Value summary_ = Value::map();
  RowAccount account_;
  MetricsFile metrics_;
  int scratch_folders_ = 0;
  std::unique_ptr<LanguageModels> models_;
};

}  // namespace plumb
