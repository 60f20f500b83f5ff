// A stage's context for tests: it keeps what a body reports, and asks to stop when told to.
//
//   RecordingContext context(folder.path());
//   context.stop_after = 3;      // cancelled() turns true once three updates were reported as progress
//   train(run, settings, context);
//
// Thread contract: one thread.
#pragma once

#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "framework/core/catalogue/stage.h"

namespace plumb::test {

class RecordingContext : public StageContext {
 public:
  explicit RecordingContext(std::filesystem::path folder, std::uint64_t seed = 1)
      : root_(std::move(folder)), seed_(seed) {
    std::filesystem::create_directories(root_ / "out");
    std::filesystem::create_directories(root_ / "work");
  }

  std::size_t stop_after = std::numeric_limits<std::size_t>::max();  // progress of "training"
  Value parameters = Value::map();
  std::map<std::string, Artifact> artifacts;  // by parameter
  std::shared_ptr<const Registry> plugins;
  std::vector<std::pair<std::int64_t, std::map<std::string, double>>> rows;  // of metrics
  std::map<std::string, Value> summary;
  std::vector<std::string> messages;

  void log(LogLevel, std::string_view message) override { messages.emplace_back(message); }
  void progress(std::string_view what, std::size_t done, std::size_t) override {
    if (what == "training" && done >= stop_after) stop_ = true;
  }
  [[nodiscard]] bool cancelled() const override { return stop_; }
  void parallel_for(std::size_t count, const std::function<void(std::size_t)>& body) override {
    for (std::size_t i = 0; i < count; ++i) body(i);
  }
  [[nodiscard]] std::string scratch_folder() override { return (root_ / "work").string(); }
  [[nodiscard]] std::string recipe_folder() const override { return root_.string(); }
  [[nodiscard]] void* query(std::string_view) override { return nullptr; }

  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] const Value& params() const override { return parameters; }
  [[nodiscard]] const Artifact& input(const std::string& param) const override { return artifacts.at(param); }
  [[nodiscard]] const Artifact* optional_input(const std::string& param) const override {
    const auto found = artifacts.find(param);
    return found == artifacts.end() ? nullptr : &found->second;
  }
  [[nodiscard]] std::vector<std::pair<std::string, const Artifact*>> inputs(const std::string& param) const override {
    return {{param, &artifacts.at(param)}};
  }
  [[nodiscard]] std::filesystem::path folder() const override { return root_ / "out"; }
  [[nodiscard]] std::filesystem::path work_folder() const override { return root_ / "work"; }
  [[nodiscard]] const Registry& registry() const override { return *plugins; }
  [[nodiscard]] Random random() const override { return Random(seed_); }
  [[nodiscard]] std::uint64_t seed() const override { return seed_; }
  void summarise(const std::string& key, Value value) override { summary[key] = std::move(value); }
  void account(const RowAccount&) override {}
  void metrics(std::int64_t step, const std::map<std::string, double>& values) override {
    rows.emplace_back(step, values);
  }
  void rewind_metrics(std::int64_t step) override {
    std::erase_if(rows, [step](const auto& row) { return row.first > step; });
  }

 private:
  std::filesystem::path root_;
  std::uint64_t seed_;
  std::string name_ = "stage";
  bool stop_ = false;
};

}  // namespace plumb::test
