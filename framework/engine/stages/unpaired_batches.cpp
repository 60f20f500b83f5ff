// Single answers under an UnpairedOptimizer.
#include "framework/engine/stages/training_task.h"
#include "framework/engine/stages/unpaired_rows.h"

namespace plumb {

template <>
TrainingTask task_on<UnpairedOptimizer>(const Made<UnpairedOptimizer>& optimizer, TrainingSetup& setup) {
  UnpairedOptions options{.mismatched = setup.needs("mismatched")};
  const bool referenced = setup.needs("reference");
  std::optional<LanguageModel> other = referenced ? setup.open_reference() : std::nullopt;
  options.starts_at_reference = referenced && !other;
  return task_on_rows(setup, [&](const std::string& param, const Artifact& data) {
    auto rows = setup.rows_of(param, data, [&](const Artifact& artifact) {
      return unpaired_rows(artifact, setup.model, setup.settings.desirable_above, setup.rows,
                           setup.context.random().derive("mismatched").derive(param), setup.context);
    });
    std::optional<ReferenceLogps> reference;
    if (referenced) {
      const auto all = in_order(rows.desirable.size())(Random(0));
      reference = reference_logps(other ? *other : setup.model, rows.rows, all, {.name = param}, setup.context);
    }
    return std::make_unique<UnpairedObjective>(setup.model, optimizer, std::move(rows), std::move(reference), options);
  });
}

}  // namespace plumb
