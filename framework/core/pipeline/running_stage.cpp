#include "framework/core/pipeline/running_stage.h"

#include <fmt/format.h>

namespace plumb {
namespace fs = std::filesystem;

RunningStage::RunningStage(const Setting& setting, const ArtifactWriter& writer)
    : StageOfRun(setting.recipe, *setting.planned.spec, setting.registry, setting.artifacts),
      progress_(setting.progress),
      writer_(writer),
      metrics_(writer.folder()) {
  fs::remove_all(scratch_root());  // of an attempt that was killed
}

RunningStage::~RunningStage() {
  std::error_code ignored;
  fs::remove_all(scratch_root(), ignored);
}

void RunningStage::log(LogLevel level, std::string_view message) {
  progress_.message(level, fmt::format("{}: {}", name(), message));
}

void RunningStage::progress(std::string_view what, std::size_t done, std::size_t total) {
  progress_.update(what, done, total);
}

fs::path RunningStage::scratch_root() const {
  return writer_.work_folder() / "scratch";
}

std::string RunningStage::scratch_folder() {
  const std::scoped_lock lock(mutex_);
  const fs::path folder = scratch_root() / std::to_string(++scratch_folders_);
  fs::create_directories(folder);
  return folder.string();
}

fs::path RunningStage::folder() const {
  return writer_.folder();
}
fs::path RunningStage::work_folder() const {
  return writer_.work_folder();
}

void RunningStage::summarise(const std::string& key, Value value) {
  const std::scoped_lock lock(mutex_);
  summary_.set(key, std::move(value));
}

void RunningStage::account(const RowAccount& rows) {
  const std::scoped_lock lock(mutex_);
  account_.add(rows);
}

Value RunningStage::summary() const {
  Value summary = summary_;
  if (!account_.empty()) summary.set(RowAccount::key, account_.to_value());
  return summary;
}

void RunningStage::metrics(std::int64_t step, const std::map<std::string, double>& values) {
  metrics_.add(step, values);
  progress_.measured(step, values);
}

void RunningStage::rewind_metrics(std::int64_t step) {
  metrics_.rewind(step);
}

}  // namespace plumb
