// A stage context for tests: inputs are folders that the test fills, services are the test's own.
//
//   TestStage stage({{"scored", "rewards"}, {"policy", "reward-gap"}});
//   stage.add_input("scored", "rewards", artifact_type::scored);      // write its files under the returned folder
//   run_stage("select", stage);
//   stage.summary.at("pairs").as_int();
//
// Plugins are those of the build. Parallel loops run in the calling thread.
// Thread contract: one thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "framework/core/artifacts/test_folder.h"
#include "framework/core/catalogue/stage.h"
#include "framework/core/components/hand_over.h"
#include "framework/core/door/engine.h"
#include "framework/core/registry/registry.h"
#include "plumb/language_models.h"
#include "plumb/policy_texts.h"

namespace plumb::test {

class TestStage final : public StageContext {
 public:
  explicit TestStage(Value params) : params_(std::move(params)) {
    std::filesystem::create_directories(folder());
    std::filesystem::create_directories(work_folder());
  }

  // What a run does before the body sees the parameters: defaults, and the folders of inputs for components.
  void complete(const StageKind& kind) {
    Value complete;
    if (!check_params(kind.params, params_, &complete).empty()) return;  // the body says what is wrong
    const auto folder = [this](const std::string& param) -> std::optional<std::string> {
      const Artifact* given = optional_input(param);
      return given == nullptr ? std::nullopt : std::optional(given->folder.string());
    };
    hand_over(kind, registry(), folder, complete);
    params_ = std::move(complete);
  }

  // `param` as the stage's settings have it; several with one param make a list.
  std::filesystem::path add_input(const std::string& param, const std::string& name, const std::string& type) {
    Artifact artifact{root_ / ("input-" + name), {}};
    artifact.manifest.type = type;
    artifact.manifest.key = "key-of-" + name;
    artifact.manifest.stage = name;
    std::filesystem::create_directories(artifact.folder);
    inputs_.push_back({param, {name, artifact}});
    return artifact.folder;
  }

  [[nodiscard]] const std::string& name() const override { return name_; }
  [[nodiscard]] const Value& params() const override { return params_; }
  [[nodiscard]] const Artifact& input(const std::string& param) const override {
    const Artifact* found = optional_input(param);
    if (found == nullptr) throw Error(ErrorCode::run_failed, "the test gives no input " + param);
    return *found;
  }
  [[nodiscard]] const Artifact* optional_input(const std::string& param) const override {
    for (const auto& [wanted, named] : inputs_) {
      if (wanted == param) return &named.second;
    }
    return nullptr;
  }
  [[nodiscard]] std::vector<std::pair<std::string, const Artifact*>> inputs(const std::string& param) const override {
    std::vector<std::pair<std::string, const Artifact*>> found;
    for (const auto& [wanted, named] : inputs_) {
      if (wanted == param) found.emplace_back(named.first, &named.second);
    }
    return found;
  }
  [[nodiscard]] std::filesystem::path folder() const override { return root_ / "output"; }
  [[nodiscard]] std::filesystem::path work_folder() const override { return root_ / "output" / "work"; }
  [[nodiscard]] const Registry& registry() const override {
    static const Registry built = Registry::scan(PluginSearch::standard());
    return built;
  }
  [[nodiscard]] Random random() const override { return Random(seed()); }
  [[nodiscard]] std::uint64_t seed() const override { return seed_; }
  void summarise(const std::string& key, Value value) override { summary.set(key, std::move(value)); }
  void account(const RowAccount& counted) override { accounted.add(counted); }
  void metrics(std::int64_t step, const std::map<std::string, double>& values) override { rows[step] = values; }
  void rewind_metrics(std::int64_t step) override { rows.erase(rows.upper_bound(step), rows.end()); }

  void log(LogLevel, std::string_view message) override { messages.emplace_back(message); }
  void progress(std::string_view, std::size_t, std::size_t) override {}
  [[nodiscard]] bool cancelled() const override { return cancel; }
  void parallel_for(std::size_t count, const std::function<void(std::size_t)>& body) override {
    for (std::size_t i = 0; i < count; ++i) body(i);
  }
  [[nodiscard]] std::string scratch_folder() override { return (root_ / "scratch").string(); }
  [[nodiscard]] std::string recipe_folder() const override { return root_.path().string(); }
  [[nodiscard]] void* query(std::string_view service) override {
    if (service == PolicyTexts::service) return texts;
    return service == LanguageModels::service ? models : nullptr;
  }

  LanguageModels* models = nullptr;
  PolicyTexts* texts = nullptr;
  Value summary = Value::map();
  RowAccount accounted;
  std::map<std::int64_t, std::map<std::string, double>> rows;
  std::vector<std::string> messages;
  std::uint64_t seed_ = 7;
  bool cancel = false;

 private:
  Folder root_;
  std::string name_ = "stage-under-test";
  Value params_;
  std::vector<std::pair<std::string, std::pair<std::string, Artifact>>> inputs_;
};

// Runs the body of a kind, wherever it is.
inline void run_stage(const std::string& kind, TestStage& stage) {
  const StageKind& known = *find_stage_kind(kind);
  stage.complete(known);
  known.body ? known.body(stage) : Engine::open().body(kind)(stage);
}

}  // namespace plumb::test
