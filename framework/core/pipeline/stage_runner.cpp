#include "framework/core/pipeline/stage_runner.h"

#include "framework/core/door/engine.h"
#include "framework/core/pipeline/stage_threads.h"

namespace plumb {
namespace {

class ThisProcess final : public StageRunner {
 public:
  void run(const StageTask& task) override {
    if (task.kind.body) return task.kind.body(task.context);
    const Engine& engine = Engine::open();
    const StageBody& body = engine.body(task.kind.kind);
    const StageThreads threads(engine, task.context.work_folder(),
                               [&](const std::string& note) { task.context.log(LogLevel::info, note); });
    body(task.context);
    task.context.summarise("threads", threads.count());
  }
};

}  // namespace

std::unique_ptr<StageRunner> run_in_this_process() {
  return std::make_unique<ThisProcess>();
}

}  // namespace plumb
