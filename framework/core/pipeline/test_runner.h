// A runner that does what a test says.
//
//   FakeRunner runner([&](const std::string& kind, StageContext& context) { … });
//   run_recipe(recipe.get(), recipe.text, recipe.registry, {.runs = folder, .runner = &runner});
//
// Thread contract: one thread.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "framework/core/pipeline/stage_runner.h"

namespace plumb::test {

class FakeRunner final : public StageRunner {
 public:
  using Body = std::function<void(const std::string& kind, StageContext& context)>;
  explicit FakeRunner(Body body) : body_(std::move(body)) {}

  void run(const StageTask& task) override {
    stages.push_back(task.context.name());
    body_(task.kind.kind, task.context);
  }

  std::vector<std::string> stages;  // that it was handed, in order

 private:
  Body body_;
};

}  // namespace plumb::test
