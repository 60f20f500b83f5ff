// Pairs or preferences under a PairwiseOptimizer.
#include <fmt/format.h>

#include <algorithm>

#include "framework/engine/distributed/collective.h"
#include "framework/engine/stages/training_task.h"
#include "framework/engine/training/pair_objective.h"

namespace plumb {

template <>
TrainingTask task_on<PairwiseOptimizer>(const Made<PairwiseOptimizer>& optimizer, TrainingSetup& setup) {
  set_adapter_dropout(setup.model, false);
  const TrainSettings& settings = setup.settings;
  const auto read = [&](const std::string& param, const Artifact& data) {
    return setup.rows_of(param, data, [&](const Artifact& artifact) {
      return pair_rows(artifact, setup.model, setup.rows, setup.context);
    });
  };
  PairRows rows = read("data", *setup.data("data"));
  std::optional<PairRows> held_out;
  if (const Artifact* eval = setup.data("eval"); eval != nullptr) held_out = read("eval", *eval);

  TrainingTask task{.settings = settings.training};
  task.run.order = pair_order(settings.pair_batching, settings.pair_cap, rows.group_of_pair());
  const bool referenced = setup.needs("reference");
  std::optional<ReferenceLogps> reference, eval_reference;
  if (referenced) {
    std::optional<LanguageModel> other = setup.open_reference();
    LanguageModel& frozen = other ? *other : setup.model;
    const bool per_token = optimizer.call(&PairwiseOptimizer::per_token);
    const auto visited =
        batch_plan(rows.pairs.size(), task.run.order, settings.training, setup.context.random()).visited();
    reference = reference_logps(frozen, rows, visited, {.name = "train", .tokens = per_token}, setup.context);
    if (held_out) {
      const auto all = in_order(held_out->pairs.size())(Random(0));
      eval_reference = reference_logps(frozen, *held_out, all, {.name = "eval", .tokens = per_token}, setup.context);
    }
    setup.context.summarise("reference_responses", static_cast<std::int64_t>(reference->size()));
  }

  auto objective = std::make_unique<PairObjective>(setup.model, optimizer, std::move(rows), std::move(reference));
  if (referenced && setup.starts_at_reference()) objective->expect_identity();
  task.told.emplace_back("step_0_log_ratio", [seen = objective.get()]() -> std::optional<Value> {
    double largest = -1;  // no rank looked
    for (const std::string& text : ranks().gather_texts(fmt::format("{}", seen->identity_error().value_or(-1)))) {
      largest = std::max(largest, std::stod(text));
    }
    return largest < 0 ? std::nullopt : std::optional<Value>(largest);
  });
  task.objective = std::move(objective);
  if (held_out) {
    task.eval =
        std::make_unique<PairObjective>(setup.model, optimizer, std::move(*held_out), std::move(eval_reference));
  }
  return task;
}

}  // namespace plumb
