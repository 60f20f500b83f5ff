// The table of a sweep's results: one line an arm with what varies, how it ended and what its evaluations measured.
//
//   write_sweep_results(sweep_json, "runs/table-1");       // results.csv and results.json there
//
// Thread contract: functions are [any].
#pragma once

#include <filesystem>

#include "framework/result.h"
#include "plumb/value.h"

namespace plumb {

// `sweep` is what sweep.json holds. Arms that are not done have no measures.
Result<void> write_sweep_results(const Value& sweep, const std::filesystem::path& folder);

}  // namespace plumb
