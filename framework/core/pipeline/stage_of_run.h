// What every process that runs a stage of a recipe gives its body: inputs, parameters, services, streams of draws. Where
// output and measurements go stands in a class of its own: running_stage.h, and following_stage.h on ranks above 0.
//
// Thread contract: as StageContext.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "framework/core/catalogue/stage.h"
#include "framework/core/recipe/recipe.h"
#include "plumb/language_models.h"

namespace plumb {

class StageOfRun : public StageContext {
 public:
  StageOfRun(const Recipe& recipe, const StageSpec& spec, const Registry& registry,
             const std::map<std::string, Artifact>& artifacts);

  [[nodiscard]] bool cancelled() const override;
  void parallel_for(std::size_t count, const std::function<void(std::size_t)>& body) override;
  [[nodiscard]] std::string recipe_folder() const override;
  [[nodiscard]] void* query(std::string_view service) override;

  [[nodiscard]] const std::string& name() const override;
  [[nodiscard]] const Value& params() const override;
  [[nodiscard]] const Artifact& input(const std::string& param) const override;
  [[nodiscard]] const Artifact* optional_input(const std::string& param) const override;
  [[nodiscard]] std::vector<std::pair<std::string, const Artifact*>> inputs(const std::string& param) const override;
  [[nodiscard]] const Registry& registry() const override;
  [[nodiscard]] Random random() const override;
  [[nodiscard]] std::uint64_t seed() const override;

 private:
  const Recipe& recipe_;
  const StageSpec& spec_;
  const Registry& registry_;
  const std::map<std::string, Artifact>& artifacts_;  // by stage name: everything made so far
  Value params_;
  std::mutex mutex_;
  std::unique_ptr<LanguageModels> models_;
};

}  // namespace plumb
