// What stands in the folder of a run (run.json) and of a sweep (sweep.json), read and checked: whoever uses the value
// finds every field of the type that it expects.
//
//   const Value run = read_run_file("runs/quickstart").value();      // run.at("stages").as_list() …
//
// A file that is another's is Error(data) with its path and what was found there.
// Thread contract: functions of the file; [any].
#pragma once

#include <filesystem>

#include "framework/result.h"
#include "plumb/value.h"

namespace plumb {

// {recipe, status, started: texts, seed, process: integers, stages: [{stage, kind, type, status, key: texts, …}], …}
Result<Value> read_run_file(const std::filesystem::path& folder);
// {sweep, file, status, started: texts, process: integer, arms: [{arm, row, status: texts, seed, values: map, …}], …}
Result<Value> read_sweep_file(const std::filesystem::path& folder);

}  // namespace plumb
