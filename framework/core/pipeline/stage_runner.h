// Where a stage runs. The pipeline decides what runs and when, and hands each stage to a runner: this process, or all
// ranks of the run (leader.h).
//
//   class Recorded final : public StageRunner {                     // as tests have it
//    public:
//     void run(const StageTask& task) override { std::ofstream(task.context.folder() / "file") << task.kind.kind; }
//   };
//   Recorded runner;
//   run_recipe(recipe, text, registry, {.runs = "runs", .runner = &runner});
//
// Thread contract: run is called for one stage at a time, from the thread that runs the recipe.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "framework/core/catalogue/stage.h"

namespace plumb {

struct StageTask {
  const StageKind& kind;
  StageContext& context;                                     // inputs, output and work folder, services, measurements
  std::map<std::string, std::filesystem::path> inputs = {};  // folders of its inputs, by stage
};

class StageRunner {
 public:
  virtual ~StageRunner() = default;
  // Returns when all that the stage makes is in the context's folder. Throws what its body throws: Cancelled when it
  // was asked to stop, Error of what failed.
  virtual void run(const StageTask& task) = 0;
};

// Runs bodies here: of kinds that bring one, else that of the engine library, which is opened when it is first needed.
std::unique_ptr<StageRunner> run_in_this_process();

}  // namespace plumb
