// Rows of single answers, good or bad: from pairs, preferences or scored answers.
//
//   TrainingRows<UnpairedRows> read = unpaired_rows(data, model, std::nullopt, {.max_length = 1024}, random, context);
//
// Thread contract: functions are [any]; rendering runs on the host's pool.
#pragma once

#include <optional>

#include "framework/engine/stages/training_rows.h"
#include "framework/engine/training/unpaired_objective.h"

namespace plumb {

// Single answers with their labels: of pairs and preferences both answers, of scored ones every answer, desirable when
// its reward is above `above` (absent: above the mean of all). An answer comes once with each label. Each has a drawn
// answer of another prompt beside it; one that would pass the limit is cut. Throws Error(data) when there is but one
// prompt.
TrainingRows<UnpairedRows> unpaired_rows(const Artifact& data, const LanguageModel& model, std::optional<double> above,
                                         const RowOptions& options, Random random, Host& host);

}  // namespace plumb
