// The StageContext of a stage on ranks above 0: the inputs and the unfinished work of rank 0's, and nowhere to write.
// Messages, measurements and summaries are rank 0's to give.
//
// Thread contract: as StageContext.
#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <string>

#include "framework/core/pipeline/stage_of_run.h"

namespace plumb {

class FollowingStage final : public StageOfRun {
 public:
  struct Folders {
    std::filesystem::path output, work;
  };
  FollowingStage(const Recipe& recipe, const StageSpec& spec, const Registry& registry,
                 const std::map<std::string, Artifact>& artifacts, Folders folders, int rank)
      : StageOfRun(recipe, spec, registry, artifacts), folders_(std::move(folders)), rank_(rank) {}

  void log(LogLevel, std::string_view) override {}
  void progress(std::string_view, std::size_t, std::size_t) override {}
  // Below rank 0's, which removes them.
  [[nodiscard]] std::string scratch_folder() override {
    const std::scoped_lock lock(mutex_);
    const std::string name = "rank-" + std::to_string(rank_) + "-" + std::to_string(++scratch_folders_);
    const std::filesystem::path folder = folders_.work / "scratch" / name;
    std::filesystem::create_directories(folder);
    return folder.string();
  }
  [[nodiscard]] std::filesystem::path folder() const override { return folders_.output; }
  [[nodiscard]] std::filesystem::path work_folder() const override { return folders_.work; }
  void summarise(const std::string&, Value) override {}
  void account(const RowAccount&) override {}
  void metrics(std::int64_t, const std::map<std::string, double>&) override {}
  void rewind_metrics(std::int64_t) override {}

 private:
  Folders folders_;
  int rank_;
  std::mutex mutex_;
  int scratch_folders_ = 0;
};

}  // namespace plumb
